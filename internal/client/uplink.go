package client

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"breakwater"
)

const (
	// A failed request is tried again after a time that doubles from retryMin to retryMax; each wait is between half of
	// it and all of it, so that sensors that lost the same server do not come back as one.
	retryMin = 250 * time.Millisecond
	retryMax = 30 * time.Second
	// helloEvery is how often a sensor says how it stands and asks for its configuration.
	helloEvery = 10 * time.Second
	// requestTimeout bounds one request; a group of batches takes far less.
	requestTimeout = 2 * time.Minute
)

// Uplink is a sensor's line to its server: it sends what is in the spool, in order and at least once, says hello, and
// fetches what the sensor shall run with.
//
//	Spool ─► batches ─► server
//	         hello, learned baseline ─► server ─► rules, baseline, models
type Uplink struct {
	Client   *Client
	Spool    *Spool
	Facility string
	Version  string // of the program
	Source   string // what is tapped
	Dir      string // where the configuration and a baseline that was learned are kept while the server is away
	Log      *slog.Logger
	// Send takes batches of a facility another way than to the server; nil: to the server. Where its error is of kind TooLarge
	// they come one by one.
	Send func(ctx context.Context, facility string, batches [][]byte) error
	// Changed is called when what the sensor shall run with has changed; with what was kept of an earlier run first,
	// where there is something.
	Changed func(Change)

	mu      sync.Mutex
	learned []byte // to be sent up; nil: nothing
	kept    keptConfig
	etag    string
}

// Change is what a sensor shall run with from now on. What has not changed is nil.
type Change struct {
	Rules    []string // YAML
	Baseline []byte   // JSON
	Models   [][]byte // model files, each in the place of that of its kind
}

// keptConfig is the newest configuration, as it is kept in a file.
type keptConfig struct {
	RulesHash       string               `json:"rules_hash"`
	Rules           []string             `json:"rules"`
	BaselineVersion int                  `json:"baseline_version"`
	Baseline        []byte               `json:"baseline,omitempty"`
	Models          map[string]keptModel `json:"models,omitempty"` // by kind
}

type keptModel struct {
	Version int64  `json:"version"`
	File    []byte `json:"file"`
}

// files are the model files, in order of their kinds.
func (k *keptConfig) files() (files [][]byte) {
	for _, kind := range slices.Sorted(maps.Keys(k.Models)) {
		files = append(files, k.Models[kind].File)
	}
	return files
}

const (
	configFile  = "config.json"
	learnedFile = "learned.json"
)

// Begin gives Changed what the server says, or, where it does not answer now, what was kept of an earlier run.
func (u *Uplink) Begin(ctx context.Context) {
	soon, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	defer u.unsent()
	err := u.configure(soon)
	if err == nil {
		return
	}
	u.Log.Warn("the server cannot be asked for the sensor's configuration: what was kept of the last run, or what the program brings, is used", "err", err)
	if text, err := os.ReadFile(filepath.Join(u.Dir, configFile)); err == nil && json.Unmarshal(text, &u.kept) == nil {
		u.Changed(Change{u.kept.Rules, u.kept.Baseline, u.kept.files()})
	}
}

// unsent takes up what an earlier run learned and did not get to the server.
func (u *Uplink) unsent() {
	if text, err := os.ReadFile(filepath.Join(u.Dir, learnedFile)); err == nil {
		u.learned = text
		u.Changed(Change{Baseline: text})
	}
}

// Learned sends a baseline up, now or when the server is there again. It is kept on disk until then.
func (u *Uplink) Learned(baseline []byte) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.learned = baseline
	return keep(u.Dir, learnedFile, baseline)
}

// Run sends and asks until ctx ends.
func (u *Uplink) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { u.stayInTouch(ctx) })
	both.Go(func() { u.send(ctx) })
	both.Wait()
}

// Goodbye says how the sensor stands when it ends, and sends a baseline that waits. It fails where the server is away.
func (u *Uplink) Goodbye(ctx context.Context) error {
	if err := u.sendLearned(ctx); err != nil {
		return err
	}
	return u.hello(ctx)
}

// send sends the spool's batches until ctx ends.
func (u *Uplink) send(ctx context.Context) {
	away := retry{}
	for {
		lines, err := u.Spool.Next(ctx)
		if err != nil {
			return
		}
		err = u.sendLines(ctx, lines)
		switch {
		case err == nil:
			u.Spool.Ack()
			if failed := away.over(); failed > 0 {
				waiting, _ := u.Spool.Status()
				u.Log.Info("data is taken again", "after_attempts", failed, "bytes_waiting", waiting)
			}
		case ctx.Err() != nil:
			return
		default:
			if away.failed() == 1 {
				u.Log.Warn("what was found cannot be sent: it is kept in the spool and sent later", "err", err)
			}
			if !away.wait(ctx) {
				return
			}
		}
	}
}

// sendLines sends batches in one request, or, where that is too large for something on the way, one by one.
func (u *Uplink) sendLines(ctx context.Context, lines [][]byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var taken Taken
	var err error
	if u.Send != nil {
		err = u.Send(ctx, u.Facility, lines)
	} else {
		taken, err = u.Client.SendBatches(ctx, u.Facility, lines)
	}
	if breakwater.KindOf(err) == breakwater.TooLarge {
		if len(lines) == 1 {
			u.Log.Error("a batch is too large for the server, for Kafka, or for a proxy before them, and is lost", "bytes", len(lines[0]), "err", err)
			return nil
		}
		for _, line := range lines {
			if err := u.sendLines(ctx, [][]byte{line}); err != nil {
				return err
			}
		}
		return nil
	}
	for _, e := range taken.Errors {
		u.Log.Error("the server will not take a batch, which is lost", "why", e.Detail)
	}
	return err
}

// stayInTouch says hello, sends what was learned and asks for the configuration, at once and then again and again.
func (u *Uplink) stayInTouch(ctx context.Context) {
	tick := time.NewTicker(helloEvery)
	defer tick.Stop()
	for {
		for _, step := range []func(context.Context) error{u.hello, u.sendLearned, u.configure} {
			if err := step(ctx); err != nil {
				if ctx.Err() == nil {
					u.Log.Debug("the server was not reached", "err", err)
				}
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (u *Uplink) hello(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	bytes, lost := u.Spool.Status()
	return u.Client.Hello(ctx, breakwater.Sensor{FacilityID: u.Facility, Version: u.Version, Source: u.Source,
		SpooledBytes: bytes, LostWindows: lost.Windows, LostDetections: lost.Detections}, time.Now())
}

// sendLearned sends what was learned, if it waits. The version it becomes is what the sensor runs with.
func (u *Uplink) sendLearned(ctx context.Context) error {
	u.mu.Lock()
	learned := u.learned
	u.mu.Unlock()
	if learned == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	version, err := u.Client.PutBaseline(ctx, u.Facility, learned)
	if err != nil {
		if breakwater.KindOf(err) != breakwater.Invalid {
			return err
		}
		u.Log.Error("the server will not take what was learned", "err", err)
		u.etag = "" // the server's own was not fetched while this one waited
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if err == nil {
		u.kept.BaselineVersion, u.kept.Baseline = version, learned
	}
	if string(u.learned) == string(learned) { // it has not learned anew meanwhile
		u.learned = nil
		if err := os.Remove(filepath.Join(u.Dir, learnedFile)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	u.keepConfig()
	return nil
}

// configure asks for the configuration, and tells Changed of what differs from what the sensor has.
func (u *Uplink) configure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	config, etag, err := u.Client.Config(ctx, u.Facility, u.etag)
	if err != nil || config == nil {
		return err
	}
	u.mu.Lock()
	waits := u.learned != nil
	u.mu.Unlock()
	var c Change
	if config.RulesHash != u.kept.RulesHash {
		c.Rules = make([]string, 0, len(config.Rules))
		for _, r := range config.Rules {
			c.Rules = append(c.Rules, r.Text)
		}
	}
	// What was learned here and waits to be sent up is newer than what is there.
	if config.BaselineVersion > 0 && config.BaselineVersion != u.kept.BaselineVersion && !waits {
		if c.Baseline, err = u.Client.Baseline(ctx, u.Facility); err != nil {
			return err
		}
	}
	models := maps.Clone(u.kept.Models)
	if models == nil {
		models = map[string]keptModel{}
	}
	for _, m := range config.Models {
		if models[m.Kind].Version == m.Version {
			continue
		}
		file, err := u.Client.ModelFile(ctx, m.Version)
		if err != nil {
			return err
		}
		models[m.Kind] = keptModel{m.Version, file}
		c.Models = append(c.Models, file)
	}
	// What is fetched may take minutes, and Learned, which packets wait for, wants the lock: it is taken from here on.
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.learned != nil {
		c.Baseline = nil
	}
	if c.Rules != nil {
		u.kept.Rules, u.kept.RulesHash = c.Rules, config.RulesHash
	}
	if c.Baseline != nil {
		u.kept.Baseline, u.kept.BaselineVersion = c.Baseline, config.BaselineVersion
	}
	u.kept.Models = models
	u.etag = etag
	if c.Rules != nil || c.Baseline != nil || c.Models != nil {
		u.Changed(c)
	}
	u.keepConfig()
	return nil
}

// keepConfig keeps the configuration for a start without a server. The lock is held.
func (u *Uplink) keepConfig() {
	text, err := json.Marshal(u.kept)
	if err == nil {
		err = keep(u.Dir, configFile, text)
	}
	if err != nil {
		u.Log.Warn("the configuration is not kept: a start without the server uses an older one", "err", err)
	}
}

// keep writes a file so that it is there whole or as it was before.
func keep(dir, name string, text []byte) error {
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err == nil {
		_, err = f.Write(text)
		if err == nil {
			err = f.Sync() // or a power failure could leave the name without what it names
		}
		if err = errors.Join(err, f.Close()); err == nil {
			err = os.Rename(path+".tmp", path)
		}
	}
	if err != nil {
		os.Remove(path + ".tmp")
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "cannot write " + path + ": check its permissions and the room on its disk", Err: err}
	}
	return nil
}

// retry is how long to wait before the next attempt.
type retry struct{ attempts int }

func (r *retry) failed() int { r.attempts++; return r.attempts }

// over ends a row of failures and gives how many there were.
func (r *retry) over() int {
	n := r.attempts
	r.attempts = 0
	return n
}

// wait waits; false where ctx ended.
func (r *retry) wait(ctx context.Context) bool {
	d := retryMax
	if n := r.attempts - 1; n < 7 {
		d = min(retryMin<<n, retryMax)
	}
	d = d/2 + rand.N(d/2)
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
