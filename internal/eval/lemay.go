// Package eval scores the detectors on labelled data: precision, recall, false alerts. It goes the way every packet
// goes (pipeline.Sensor) and puts another end to it:
//
//	capture ─► pipeline.Sensor ─┬─► detections ─► alerts, in memory ─┐
//	                            └─► windows ─► models ─► seconds ────┤
//	tables of process values ─► models ─► rows ──────────────────────┤
//	labels ──────────────────────────────────────────────────────────┴─► Table
//
// It hides how labels are matched with what was said. Scores are point-wise and unadjusted: a packet, second or row is right
// or wrong by itself, and that one packet of a burst was found makes no other packet of it found.
package eval

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/capture"
	"breakwater/internal/decode"
	"breakwater/internal/detect"
	"breakwater/internal/ml"
	"breakwater/internal/pipeline"
)

// The Lemay captures (CSET 2016): one master polls six RTUs by Modbus/TCP, and attacks come from a machine among them.
// What is normal is learned once, on the beginning of one of them, which holds no attack.
const (
	lemayLearned = "send_a_fake_command_modbus_6RTU_with_operate"
	lemayClean   = 280 * time.Second
)

// burstGap is how far apart labelled packets may lie and still be one burst.
const burstGap = time.Minute

// slack is how far from a burst an alert may lie and still be about it: detections are made by the second.
const slack = time.Second

// Score counts packets, seconds or rows. Positive is what is labelled, or said, to be of an attack.
type Score struct{ TruePositive, FalsePositive, TrueNegative, FalseNegative int }

func (s *Score) count(labelled, said bool) {
	switch {
	case labelled && said:
		s.TruePositive++
	case labelled:
		s.FalseNegative++
	case said:
		s.FalsePositive++
	default:
		s.TrueNegative++
	}
}

func (s *Score) add(o Score) {
	s.TruePositive += o.TruePositive
	s.FalsePositive += o.FalsePositive
	s.TrueNegative += o.TrueNegative
	s.FalseNegative += o.FalseNegative
}

// Precision is the part of what was said that is right, NaN where nothing was said.
func (s Score) Precision() float64 { return ratio(s.TruePositive, s.FalsePositive) }

// Recall is the part of the attack that was found, NaN where there is none.
func (s Score) Recall() float64 { return ratio(s.TruePositive, s.FalseNegative) }

// F1 is the harmonic mean of precision and recall.
func (s Score) F1() float64 { return ratio(2*s.TruePositive, s.FalsePositive+s.FalseNegative) }

// FalsePositiveRate is the part of what is harmless that was said to be of an attack.
func (s Score) FalsePositiveRate() float64 { return ratio(s.FalsePositive, s.TrueNegative) }

// ratio is a of a+b.
func ratio(a, b int) float64 {
	if a+b == 0 {
		return math.NaN()
	}
	return float64(a) / float64(a+b)
}

// Burst is labelled packets less than burstGap apart.
type Burst struct {
	First, Last time.Time
	Packets     int
	Covered     bool       // an alert overlaps it
	Told        *time.Time // when the rules first said a packet of it; nil: never
	Unlisted    *time.Time // when the first packet was not on the allowlist
}

// capturedFile is the result on one capture.
type capturedFile struct {
	name             string
	rules, allowlist Score // packet by packet: what the rules said, and what a list of (client, server, port) would have said
	bursts           []Burst
	alerts           []*breakwater.Alert
	falseAlerts      []*breakwater.Alert // that overlap no burst
	falseListed      int                 // groups of harmless packets that are not on the list, burstGap apart
	seconds          series              // labelled where a packet is
	spoken, listed   []bool              // by second: whether the rules said a packet, whether one is not on the list
}

// Lemay learns on the first 280 s of send_a_fake_command in dir and applies what was learned to every capture that
// has labels there. What was learned from is scored, too: it is part of its file.
//
// Packet by packet stand the rules beside an allowlist, as they name conversations; second by second the models, which
// score seconds, beside both and the trivial answer. A second is of an attack where a packet in it is.
func Lemay(dir string, told Progress) (*Table, error) {
	files, learned, err := lemay(dir)
	if err != nil {
		return nil, err
	}
	rules, allowlist := Result{Dataset: "lemay/packets", Detector: "rules"}, Result{Dataset: "lemay/packets", Detector: "allowlist"}
	spoken, listed := Result{Dataset: "lemay/seconds", Detector: "rules"}, Result{Dataset: "lemay/seconds", Detector: "allowlist"}
	table := &Table{Step: time.Second, told: told}
	all := trial{learn: learned}
	for i := range files {
		f := &files[i]
		rules.Score.add(f.rules)
		allowlist.Score.add(f.allowlist)
		rules.bursts(f.bursts, func(b *Burst) *time.Time { return b.Told })
		allowlist.bursts(f.bursts, func(b *Burst) *time.Time { return b.Unlisted })
		rules.FalseAlarms += len(f.falseAlerts)
		allowlist.FalseAlarms += f.falseListed
		spoken.count(f.seconds, f.spoken, time.Second)
		listed.count(f.seconds, f.listed, time.Second)
		all.tests = append(all.tests, f.seconds)
		table.Detail += f.detail()
	}
	table.Results = []Result{rules, allowlist, spoken, listed}
	return table, table.add("lemay/seconds", []trial{all}, lemayRecipes)
}

// 280 s hold no minute to learn from and another to validate on: the context is ten seconds, and what breakwater train
// makes of a plant is not what is scored here. The clean seconds are few and alike: nothing was to be chosen on them.
var lemayRecipes = []recipe{
	{name: "pca", train: pca(0)},
	{name: "pca-lagged", context: lemayContext, train: pca(0)},
	{name: "isolation-forest", train: forest},
	{name: "autoencoder", context: lemayContext, train: autoencoder(nil, ml.Training{Epochs: 100, Batch: 32, Seed: 1, Noise: 0.3})},
}

var lemayContext = ml.Context{Blocks: 5, Stride: 2, Summary: ml.Mean}

// bursts counts events: those of which a packet was said.
func (r *Result) bursts(bursts []Burst, told func(*Burst) *time.Time) {
	for i := range bursts {
		b := &bursts[i]
		r.Events++
		if at := told(b); at != nil {
			r.Delay = (r.Delay*time.Duration(r.EventsSeen) + at.Sub(b.First)) / time.Duration(r.EventsSeen+1)
			r.EventsSeen++
		}
	}
}

// lemay is each labelled capture in dir, and the seconds that were learned from as rows.
func lemay(dir string) (files []capturedFile, learned [][]float64, err error) {
	labels, err := filepath.Glob(filepath.Join(dir, "*_labeled.csv"))
	if err != nil || len(labels) == 0 {
		return nil, nil, &breakwater.Error{Kind: breakwater.NotFound, Message: dir + " holds no *_labeled.csv", Err: err}
	}
	slices.Sort(labels)
	rules, err := detect.Shipped()
	if err != nil {
		return nil, nil, err
	}
	normal, err := learn(filepath.Join(dir, lemayLearned+".pcap"), rules)
	if err != nil {
		return nil, nil, err
	}
	for _, csv := range labels {
		f, err := normal.score(strings.TrimSuffix(csv, "_labeled.csv")+".pcap", csv, rules)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, f)
	}
	return files, normal.rows, nil
}

// normal is what was learned: by the detectors, by the list that they are compared with, and for the models.
type normal struct {
	baseline  *detect.Baseline
	allowlist map[triple]bool
	rows      [][]float64
}

// triple is what the allowlist tells conversations apart by. The server is the end with the lower port.
type triple struct {
	client, server breakwater.Endpoint // by address; by MAC where the packet is not IP
	port           uint16
}

func tripleOf(f *breakwater.Frame) triple {
	client, server := f.Src, f.Dst
	if server.Port > client.Port {
		client, server = server, client
	}
	t := triple{client, server, server.Port}
	t.client.Port, t.server.Port = 0, 0
	if t.client.Addr.IsValid() {
		t.client.MAC, t.server.MAC = breakwater.MAC{}, breakwater.MAC{}
	}
	return t
}

// learn takes the clean beginning of a capture as normal.
func learn(path string, rules []*detect.Rule) (*normal, error) {
	n := &normal{baseline: detect.NewBaseline(), allowlist: map[triple]bool{}}
	_, windows, err := run(path, rules, n.baseline, lemayClean, func(f *breakwater.Frame) { n.allowlist[tripleOf(f)] = true })
	if len(windows) > 2 {
		n.rows = ml.Rows(windows[1 : len(windows)-1]) // the first and the last second are cut
	}
	return n, err
}

// run takes a capture through a sensor and gives its detections and windows. learn > 0 takes so much of it, as normal. each
// sees every packet.
func run(path string, rules []*detect.Rule, b *detect.Baseline, learn time.Duration, each func(*breakwater.Frame)) (found []breakwater.Detection, windows []breakwater.Window, err error) {
	source, err := capture.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer source.Close()
	sensor := pipeline.Sensor{
		FacilityID: "lemay", Rules: rules, Baseline: b, Learn: learn,
		Send: func(_ context.Context, batch breakwater.Batch) error {
			found = append(found, batch.Detections...)
			windows = append(windows, batch.Windows...)
			return nil
		},
	}
	_, err = sensor.Run(context.Background(), tap(source.Packets(), learn, each))
	return found, windows, err
}

// tap shows each packet's frame to each, and ends after a time of data, where one is given.
func tap(packets iter.Seq2[breakwater.Packet, error], until time.Duration, each func(*breakwater.Frame)) iter.Seq2[breakwater.Packet, error] {
	return func(yield func(breakwater.Packet, error) bool) {
		frames := decode.New(func(*breakwater.Event) {})
		var first time.Time
		for p, err := range packets {
			if first.IsZero() {
				first = p.Time
			}
			if err == nil && until > 0 && p.Time.Sub(first) >= until {
				return
			}
			if err == nil {
				f, ok := frames.Packet(&p)
				if !ok {
					f = breakwater.Frame{Time: p.Time, Length: p.Length}
				}
				each(&f)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// score applies what was learned to one capture.
func (n *normal) score(path, csv string, rules []*detect.Rule) (capturedFile, error) {
	file := capturedFile{name: strings.TrimSuffix(filepath.Base(path), ".pcap")}
	labelled, err := readLabels(csv)
	if err != nil {
		return file, err
	}
	var frames []breakwater.Frame
	found, windows, err := run(path, rules, n.baseline, 0, func(f *breakwater.Frame) { frames = append(frames, *f) })
	if err != nil {
		return file, err
	}
	if len(frames) != len(labelled) {
		return file, &breakwater.Error{Kind: breakwater.Invalid, Message: fmt.Sprintf("%s has %d packets and %s %d labels", path, len(frames), csv, len(labelled))}
	}
	file.alerts = correlate(found)
	file.seconds = series{path: path, columns: ml.WindowFeatures, rows: ml.Rows(windows)}
	seconds := len(file.seconds.rows)
	file.seconds.labelled, file.spoken, file.listed = make([]bool, seconds), make([]bool, seconds), make([]bool, seconds)
	said := newSaid(found)
	var mistaken time.Time // the last harmless packet that is not on the list
	for i := range frames {
		f := &frames[i]
		told, unlisted := said.of(f), !n.allowlist[tripleOf(f)]
		file.rules.count(labelled[i], told)
		file.allowlist.count(labelled[i], unlisted)
		if s := int(f.Time.Sub(windows[0].Time) / time.Second); s >= 0 && s < seconds {
			file.seconds.labelled[s] = file.seconds.labelled[s] || labelled[i]
			file.spoken[s] = file.spoken[s] || told
			file.listed[s] = file.listed[s] || unlisted
		}
		if labelled[i] {
			file.burst(f.Time, told, unlisted)
		} else if unlisted {
			if f.Time.Sub(mistaken) >= burstGap {
				file.falseListed++
			}
			mistaken = f.Time
		}
	}
	for _, a := range file.alerts {
		about := false
		for i := range file.bursts {
			b := &file.bursts[i]
			if !a.Timestamp.After(b.Last) && !a.LastSeen.Before(b.First) {
				b.Covered = true
			}
			about = about || !a.Timestamp.After(b.Last.Add(slack)) && !a.LastSeen.Before(b.First.Add(-slack))
		}
		if !about {
			file.falseAlerts = append(file.falseAlerts, a)
		}
	}
	return file, nil
}

// burst takes a labelled packet into the burst that goes on, or begins one.
func (f *capturedFile) burst(at time.Time, told, unlisted bool) {
	if k := len(f.bursts) - 1; k < 0 || at.Sub(f.bursts[k].Last) >= burstGap {
		f.bursts = append(f.bursts, Burst{First: at})
	}
	b := &f.bursts[len(f.bursts)-1]
	b.Last = at
	b.Packets++
	if told && b.Told == nil {
		b.Told = &at
	}
	if unlisted && b.Unlisted == nil {
		b.Unlisted = &at
	}
}

// readLabels reads lines "number;0" or "number;1", the packets in order from 1.
func readLabels(path string) ([]bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Unavailable, Message: path + " cannot be opened", Err: err}
	}
	defer f.Close()
	var labels []bool
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		number, label, _ := strings.Cut(line, ";")
		if n, err := strconv.Atoi(number); err != nil || n != len(labels)+1 || label != "0" && label != "1" {
			return nil, &breakwater.Error{Kind: breakwater.Invalid, Message: fmt.Sprintf("%s line %d is %.40q; expected %d;0 or %d;1", path, len(labels)+1, line, len(labels)+1, len(labels)+1)}
		}
		labels = append(labels, label == "1")
	}
	return labels, lines.Err()
}

// correlate makes alerts of detections as the store does, in memory and with nobody who closes one.
func correlate(found []breakwater.Detection) (alerts []*breakwater.Alert) {
next:
	for _, d := range found {
		for _, a := range slices.Backward(alerts) {
			if a.Asset == d.Asset && (a.Counted(d) || a.Accepts(d)) {
				a.Absorb(d)
				continue next
			}
		}
		alerts = append(alerts, breakwater.NewAlert(d))
	}
	return alerts
}

// said is which packets the detections speak of: those of a conversation that one names, from the beginning of that
// detection's second for as long as its alert stays open for more (breakwater.CorrelationSpan). A detection without a
// client speaks of all clients.
type said map[netip.Addr][]spoken // by server

type spoken struct {
	breakwater.Conversation
	from, to time.Time
}

func newSaid(found []breakwater.Detection) said {
	s := said{}
next:
	for _, d := range found {
		from, to := d.Time.Truncate(time.Second), d.Time.Add(breakwater.CorrelationSpan)
		list := s[d.Talk.Server]
		for i := range list {
			if o := &list[i]; o.Client == d.Talk.Client && o.Port == d.Talk.Port && !from.After(o.to) {
				o.to = to
				continue next
			}
		}
		s[d.Talk.Server] = append(list, spoken{d.Talk, from, to})
	}
	return s
}

func (s said) of(f *breakwater.Frame) bool {
	return s.toward(f, f.Src, f.Dst) || s.toward(f, f.Dst, f.Src)
}

// toward asks with server as the server.
func (s said) toward(f *breakwater.Frame, client, server breakwater.Endpoint) bool {
	t := f.Time
	list := s[server.Addr]
	for i := range list {
		o := &list[i]
		if server.Addr.IsValid() && (o.Client == client.Addr || !o.Client.IsValid()) && o.isOf(f, server.Port) && !t.Before(o.from) && !t.After(o.to) {
			return true
		}
	}
	return false
}

// isOf reports whether a packet to or from a server's port can be of the conversation: by the port, or, where the
// conversation has none (arp, icmp), by the protocol.
func (o *spoken) isOf(f *breakwater.Frame, port uint16) bool {
	return o.Port == port && o.Port != 0 || o.Port == 0 && (o.Protocol == f.Protocol || o.Protocol == "")
}

// detail tells of a capture's bursts and alerts, for people.
func (f *capturedFile) detail() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d bursts, %d alerts, %d of them false; rules packet by packet: precision %.4f, recall %.4f\n", f.name, len(f.bursts), len(f.alerts), len(f.falseAlerts), f.rules.Precision(), f.rules.Recall())
	for _, burst := range f.bursts {
		fmt.Fprintf(&b, "  burst %s – %s, %d packets, covered: %t\n", clock(burst.First), clock(burst.Last), burst.Packets, burst.Covered)
	}
	for _, a := range f.alerts {
		mark := " "
		if slices.Contains(f.falseAlerts, a) {
			mark = "!"
		}
		fmt.Fprintf(&b, "%s alert %s – %s %s %-8s %s %s\n    %s\n", mark, clock(a.Timestamp), clock(a.LastSeen), a.Asset, a.Severity, a.AttackType, a.Title, a.Summary)
	}
	return b.String()
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }
