package simulate

import (
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/decode"
	"breakwater/internal/fl"
	"breakwater/internal/ml"
	"breakwater/internal/plant"
	"breakwater/internal/window"

	"golang.org/x/sync/errgroup"
)

// site is a client with what it is tested on.
type site struct {
	fl.Client
	test     labelled
	same     labelled // attacks of the kind that the first client sees
	attacked bool     // what it learns from holds that attack now
}

// data makes the clients, and the network for their data.
func data(o Options) ([]*site, fl.Shape, error) {
	if o.Skab != "" {
		sites, err := skab(o.Skab)
		if err == nil && o.Clients != len(sites) {
			err = &breakwater.Error{Kind: breakwater.Invalid, Field: "clients", Message: fmt.Sprintf("%d clients cannot be made of SKAB: its valves are %d facilities", o.Clients, len(sites))}
		}
		return sites, skabShape, err
	}
	sites, err := plants(o)
	return sites, fl.Windows, err
}

const (
	// mostPlants is how many plants are simulated; more clients than that share them, each with a stretch of time of its own.
	mostPlants = 50
	// tested is how many clients are tested on recordings with attacks: those of one plant are much like another's.
	tested = 10
)

// testAttacks are what each plant is tested on: 20 minutes, with each kind of attack twice.
var testAttacks = func() (attacks []plant.Attack) {
	for i, kind := range slices.Concat(plant.AttackKinds, plant.AttackKinds) {
		attacks = append(attacks, plant.Attack{Kind: kind, At: time.Duration(120+130*i) * time.Second})
	}
	return attacks
}()

const testLasts = 20 * time.Minute

// plants are simulated plants, each client one or a stretch of one: an hour each, twenty or ten minutes where there are many.
func plants(o Options) ([]*site, error) {
	lasts := time.Hour
	if o.Clients > 4*mostPlants {
		lasts = 10 * time.Minute
	} else if o.Clients > mostPlants {
		lasts = 20 * time.Minute
	}
	kind := plant.AttackKind(o.Attack)
	if o.Attacked > 0 && !slices.Contains(plant.AttackKinds, kind) {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "attack", Message: fmt.Sprintf("attack %q is not known; there are %v", o.Attack, plant.AttackKinds)}
	}
	number := min(o.Clients, mostPlants)
	sites := make([]*site, o.Clients)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for p := range number {
		group.Go(func() error {
			stretches := (o.Clients - p + number - 1) / number
			at := plant.Options{Facility: plant.Demo[p%len(plant.Demo)].ID, Seed: o.Seed + uint64(p), Duration: time.Duration(stretches) * lasts}
			windows, _, err := record(at)
			if err != nil {
				return err
			}
			for i := range stretches {
				seconds := int(lasts / time.Second)
				own := fl.Marked(windows[i*seconds:min((i+1)*seconds, len(windows))], nil, nil)
				id := fmt.Sprintf("plant-%d", p+i*number+1)
				s := &site{Client: fl.Client{ID: id, FacilityID: id, Quantile: 0.99}}
				s.Data = func(context.Context) (fl.Data, error) { return own, nil }
				sites[p+i*number] = s
			}
			s := sites[p]
			if p >= tested {
				return nil
			}
			at.Seed, at.Duration, at.Attacks = at.Seed+1000, testLasts, testAttacks
			if s.test, err = test(at); err != nil || o.Attacked == 0 {
				return err
			}
			// The attack itself, at a time of its own; the first client learns from its own recording of it.
			at.Attacks = nil
			for i := range 6 {
				at.Attacks = append(at.Attacks, plant.Attack{Kind: kind, At: time.Duration(120+170*i) * time.Second})
			}
			if s.same, err = test(at); err != nil || p > 0 {
				return err
			}
			at.Seed++
			windows, attacked, err := record(at)
			if err != nil {
				return err
			}
			calm, _ := s.Data(context.Background())
			struck := fl.Marked(windows, nil, attacked)
			for i, m := range struck.Marks {
				if o.Control && m == fl.Attack {
					struck.Marks[i] = fl.Doubted
				}
			}
			s.Data = func(context.Context) (fl.Data, error) {
				if !s.attacked {
					return calm, nil
				}
				return join(ml.Minute.Span(), calm, struck), nil
			}
			return nil
		})
	}
	return sites, group.Wait()
}

// join puts one stretch of data after another, so that no context reaches over their border.
func join(span int, parts ...fl.Data) (all fl.Data) {
	for _, p := range parts {
		if len(all.Rows) > 0 {
			for range span {
				all.Rows = append(all.Rows, slices.Repeat([]float64{math.NaN()}, len(p.Rows[0])))
			}
		}
		all.Marks = append(all.Marks, make([]fl.Mark, len(all.Rows)-len(all.Marks))...)
		all.Rows, all.Marks = append(all.Rows, p.Rows...), append(all.Marks, p.Marks...)
	}
	return all
}

// intruder ends the address of the host that attacks.
const intruder = 57

// record gives the windows of a plant, and the seconds in which the intruder sends or is sent to.
func record(o plant.Options) (windows []breakwater.Window, attacked []time.Time, err error) {
	builder := window.NewBuilder(o.Facility, func(w *breakwater.Window) { windows = append(windows, *w) })
	decoder := decode.New(builder.Event)
	for p, err := range plant.Packets(o) {
		if err != nil {
			return nil, nil, err
		}
		builder.Advance(p.Time)
		frame, ok := decoder.Packet(&p)
		if !ok {
			continue
		}
		builder.Frame(&frame)
		for _, end := range []breakwater.Endpoint{frame.Src, frame.Dst} {
			second := p.Time.Truncate(time.Second)
			if end.Addr.Is4() && end.Addr.As4()[3] == intruder && (len(attacked) == 0 || attacked[len(attacked)-1] != second) {
				attacked = append(attacked, second)
			}
		}
	}
	builder.Flush()
	return windows, attacked, nil
}

// test records a plant to test on.
func test(o plant.Options) (labelled, error) {
	windows, attacked, err := record(o)
	usual, attacks := fl.Marked(windows, nil, attacked).Vectors(ml.Minute)
	return labelled{usual, attacks}, err
}

// skabShape is the network for SKAB: five seconds of its eight values.
var skabShape = fl.Shape{
	Names:   []string{"accelerometer 1", "accelerometer 2", "current", "pressure", "temperature", "thermocouple", "voltage", "volume flow"},
	Context: ml.Context{Blocks: 5, Stride: 1, Summary: ml.Last}, Hidden: []int{32, 16, 32},
}

// skabLearned is SKAB's protocol: so many rows of each file, without an anomaly, are to learn from; the rest is tested.
const skabLearned = 400

// skab are the two valves of SKAB v0.9 (Katser and Kozitsin 2020), each a facility of several files. What is normal differs
// from file to file: each is scaled by its own first rows. A facility's rows are put together so that the parts that set the
// threshold and are held out come of each of its files.
func skab(dir string) ([]*site, error) {
	var sites []*site
	for _, valve := range []string{"valve1", "valve2"} {
		files, err := filepath.Glob(filepath.Join(dir, valve+"-*.csv"))
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, &breakwater.Error{Kind: breakwater.NotFound, Message: dir + " holds no " + valve + "-*.csv"}
		}
		s := &site{Client: fl.Client{ID: valve, FacilityID: valve, Quantile: 0.99}}
		var learn [3][]fl.Data
		for _, file := range files {
			rows, anomalous, err := readSkab(file)
			if err != nil {
				return nil, err
			}
			scaler := ml.FitScaler(rows[:skabLearned])
			flat := scaler.Scale(rows)
			for i := range rows {
				for j := range rows[i] {
					rows[i][j] = float64(flat[i*len(rows[i])+j])
				}
			}
			for i, cut := range []int{0, skabLearned * 70 / 100, skabLearned * 85 / 100} {
				learn[i] = append(learn[i], fl.Data{Rows: rows[cut:[]int{skabLearned * 70 / 100, skabLearned * 85 / 100, skabLearned}[i]]})
			}
			var t labelled
			vectors := skabShape.Context.Vectors(rows)
			for i, v := range vectors {
				if row := i + skabShape.Context.Span() - 1; row < skabLearned {
					continue
				} else if anomalous[row] {
					t.attacks = append(t.attacks, v)
				} else {
					t.usual = append(t.usual, v)
				}
			}
			s.test = joined(s.test, t)
		}
		own := join(skabShape.Context.Span(), slices.Concat(learn[:]...)...)
		s.Data = func(context.Context) (fl.Data, error) { return own, nil }
		sites = append(sites, s)
	}
	return sites, nil
}

// readSkab reads a file of SKAB: time, eight values, whether it is anomalous, and a column that nobody needs.
func readSkab(path string) (rows [][]float64, anomalous []bool, err error) {
	bad := func(err error) error {
		return &breakwater.Error{Kind: breakwater.Invalid, Message: path + " is no file of SKAB: a time, eight values, anomaly and changepoint, separated by semicolons, of more than 400 rows", Err: err}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, &breakwater.Error{Kind: breakwater.Unavailable, Message: path + " cannot be opened", Err: err}
	}
	defer f.Close()
	in := csv.NewReader(f)
	in.Comma = ';'
	records, err := in.ReadAll()
	if err != nil || len(records) <= skabLearned+1 || len(records[0]) != len(skabShape.Names)+3 {
		return nil, nil, bad(err)
	}
	for _, record := range records[1:] {
		row := make([]float64, len(skabShape.Names))
		for i := range row {
			if row[i], err = strconv.ParseFloat(strings.TrimSpace(record[i+1]), 64); err != nil {
				row[i] = math.NaN()
			}
		}
		label, err := strconv.ParseFloat(strings.TrimSpace(record[len(row)+1]), 64)
		rows, anomalous = append(rows, row), append(anomalous, err == nil && label == 1)
	}
	return rows, anomalous, nil
}
