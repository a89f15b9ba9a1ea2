package eval

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"breakwater"
	"breakwater/internal/ml"
)

// A trial is what a detector learns, and what it is then scored on.
type trial struct {
	learn [][]float64 // without an attack, in order of time
	tests []series
}

// series is labelled rows, one each step of time.
type series struct {
	path     string
	columns  []string
	rows     [][]float64
	labelled []bool
}

// events are the stretches of labelled rows, as first and last.
func (s series) events() (events [][2]int) {
	for i, l := range s.labelled {
		switch {
		case l && (i == 0 || !s.labelled[i-1]):
			events = append(events, [2]int{i, i})
		case l:
			events[len(events)-1][1] = i
		}
	}
	return events
}

func (s series) sameColumns(o series) error {
	if strings.Join(s.columns, ",") != strings.Join(o.columns, ",") {
		return &breakwater.Error{Kind: breakwater.Invalid, Message: fmt.Sprintf("%s has other columns than %s", s.path, o.path)}
	}
	return nil
}

// mostCells bounds what a table may hold: 2^25 numbers, 256 MiB.
const mostCells = 1 << 25

// readTable reads a CSV table whose first column is a time and whose column label, where there is one, is 1 (or 1.0) for
// an attack. A cell that is no number is missing.
func readTable(path string, comma rune, label string) (series, error) {
	s := series{path: path}
	f, err := os.Open(path)
	if err != nil {
		return s, unopened(path, err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.TrimLeadingSpace, r.ReuseRecord = comma, true, true
	head, err := r.Read()
	if err != nil {
		return s, &breakwater.Error{Kind: breakwater.Invalid, Message: path + " has no head line", Err: err}
	}
	at := -1
	for i, name := range head {
		switch name = strings.TrimSpace(name); {
		case name == label:
			at = i
		case i > 0 && name != "changepoint": // a second label, in SKAB
			s.columns = append(s.columns, name)
		}
	}
	skip := map[int]bool{0: true, at: true}
	for i, name := range head {
		skip[i] = skip[i] || strings.TrimSpace(name) == "changepoint"
	}
	for {
		record, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return s, &breakwater.Error{Kind: breakwater.Invalid, Message: path + " cannot be read as CSV", Err: err}
		}
		row := make([]float64, 0, len(s.columns))
		for i, cell := range record {
			if skip[i] {
				continue
			}
			x, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
			if err != nil {
				x = math.NaN()
			}
			row = append(row, x)
		}
		s.rows = append(s.rows, row)
		if at >= 0 {
			x, err := strconv.ParseFloat(strings.TrimSpace(record[at]), 64)
			s.labelled = append(s.labelled, err == nil && x == 1)
		}
		if len(s.rows)*max(len(s.columns), 1) > mostCells {
			return s, &breakwater.Error{Kind: breakwater.TooLarge, Message: fmt.Sprintf("%s has more than %d numbers", path, mostCells)}
		}
	}
	return s, nil
}

func unopened(path string, err error) error {
	kind := breakwater.Unavailable
	if errors.Is(err, fs.ErrNotExist) {
		kind = breakwater.NotFound
	}
	return &breakwater.Error{Kind: kind, Message: path + " cannot be opened", Err: err}
}

// recipe is a detector with its settings.
type recipe struct {
	name    string
	context ml.Context
	smooth  int // rows that scores are averaged over, backwards; 0 is 1
	train   func(ml.Data) (*ml.Model, error)
}

func pca(components int) func(ml.Data) (*ml.Model, error) {
	return func(d ml.Data) (*ml.Model, error) { return ml.TrainPCA(d, ml.PCASettings{Components: components}) }
}

func forest(d ml.Data) (*ml.Model, error) { return ml.TrainForest(d, ml.ForestSettings{Seed: 1}) }

func autoencoder(hidden []int, t ml.Training) func(ml.Data) (*ml.Model, error) {
	return func(d ml.Data) (*ml.Model, error) {
		return ml.TrainAutoencoder(context.Background(), d, hidden, t)
	}
}

// folds is how many contiguous parts of what is learned are each left out once. Data sets are small here, and one
// part is not like the others: a summer, a tank that is being filled.
const folds = 5

// threshold is the part of the validation scores that lies under the threshold: one usual row in a hundred is over it.
const threshold = 0.99

// said trains one model for each fold, without it, calls told after each, and says of each row of each test whether it is
// anomalous: the mean of the models' scores is over the threshold, a quantile of the scores that each fold got from the model that did not know
// it. Rows before the first whole context are not anomalous.
func (r recipe) said(t trial, told func()) ([][]bool, error) {
	var usual [folds][]float64
	var scores [folds][][]float64 // by test, then by vector
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for fold := range folds {
		group.Go(func() error {
			from, to := fold*len(t.learn)/folds, (fold+1)*len(t.learn)/folds
			d := ml.Data{
				Names: t.tests[0].columns, Context: r.context,
				Train:      append(r.context.Vectors(t.learn[:from]), r.context.Vectors(t.learn[to:])...),
				Validation: r.context.Vectors(t.learn[from:to]),
			}
			m, err := r.train(d)
			if err != nil {
				return fmt.Errorf("training %s: %w", r.name, err)
			}
			usual[fold] = r.scores(m, d.Validation)
			for _, test := range t.tests {
				scores[fold] = append(scores[fold], r.scores(m, r.context.Vectors(test.rows)))
			}
			told()
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	limit := ml.Quantile(slices.Concat(usual[:]...), threshold)
	said := make([][]bool, len(t.tests))
	for i, test := range t.tests {
		said[i] = make([]bool, len(test.rows))
		for j := range scores[0][i] {
			sum := 0.0
			for fold := range folds {
				sum += scores[fold][i][j]
			}
			said[i][j+r.context.Span()-1] = sum/folds > limit
		}
	}
	return said, nil
}

// scores are the vectors' scores, each the mean of it and those before it.
func (r recipe) scores(m *ml.Model, vectors [][]float64) []float64 {
	s := m.Scorer()
	raw, smoothed := make([]float64, len(vectors)), make([]float64, len(vectors))
	sum := 0.0
	for i, v := range vectors {
		raw[i] = s.Score(v)
		sum += raw[i]
		if past := i - max(r.smooth, 1); past >= 0 {
			sum -= raw[past]
		}
		smoothed[i] = sum / float64(min(i+1, max(r.smooth, 1)))
	}
	return smoothed
}

// Result is what one detector did on one data set, row by row, without point adjustment.
type Result struct {
	Dataset, Detector               string
	Score                           // by rows
	FalseAlarms, Events, EventsSeen int
	Delay                           time.Duration // from an event's beginning until it was first said, the mean over those seen
	Challenge                       float64       // BATADAL's S; 0 for other sets
}

// count adds what was said of one series. An event is seen where any of its rows is said; an alarm is a stretch of rows
// that are said, false where it touches no event.
func (r *Result) count(s series, said []bool, step time.Duration) {
	for i, l := range s.labelled {
		r.Score.count(l, said[i])
	}
	delay, seen, slow := time.Duration(0), 0, 0.0
	events := s.events()
	for _, e := range events {
		late := 1.0
		for i := e[0]; i <= e[1]; i++ {
			if said[i] {
				seen++
				delay += time.Duration(i-e[0]) * step
				late = float64(i-e[0]) / float64(e[1]-e[0]+1)
				break
			}
		}
		slow += late
	}
	for i := 0; i < len(said); i++ {
		if !said[i] {
			continue
		}
		touches := false
		for ; i < len(said) && said[i]; i++ {
			touches = touches || s.labelled[i]
		}
		if !touches {
			r.FalseAlarms++
		}
	}
	r.Delay = (r.Delay*time.Duration(r.EventsSeen) + delay) / time.Duration(max(r.EventsSeen+seen, 1))
	r.EventsSeen += seen
	r.Events += len(events)
	// S = (time to detection + balanced accuracy) / 2, of one series.
	r.Challenge = (1 - slow/float64(max(len(events), 1)) + (r.Recall()+1-r.FalsePositiveRate())/2) / 2
}

// MarshalJSON writes the figures that do not exist, as the precision of one who said nothing, as null.
func (r Result) MarshalJSON() ([]byte, error) {
	number := func(x float64) *float64 {
		if math.IsNaN(x) {
			return nil
		}
		return &x
	}
	delay := math.NaN()
	if r.EventsSeen > 0 {
		delay = r.Delay.Round(time.Millisecond).Seconds()
	}
	return json.Marshal(struct {
		Dataset        string   `json:"dataset"`
		Detector       string   `json:"detector"`
		Precision      *float64 `json:"precision"`
		Recall         *float64 `json:"recall"`
		F1             *float64 `json:"f1"`
		FPR            *float64 `json:"fpr"`
		EventsDetected int      `json:"events_detected"`
		EventsTotal    int      `json:"events_total"`
		Delay          *float64 `json:"delay_seconds"`
	}{r.Dataset, r.Detector, number(r.Precision()), number(r.Recall()), number(r.F1()), number(r.FalsePositiveRate()), r.EventsSeen, r.Events, number(delay)})
}

// Table is what detectors did on the data sets of one kind.
type Table struct {
	Results   []Result
	Step      time.Duration // between rows
	Challenge bool          // BATADAL's S is shown
	Detail    string        // what more there is to say of the set, for people

	told Progress
}

// Progress is told how many models of how many are trained.
type Progress func(done, of int)

// Sets are the data sets by name. Each function scores our models, PCA and the trivial answers on the files in dir; told
// may be nil.
var Sets = map[string]func(dir string, told Progress) (*Table, error){"lemay": Lemay, "batadal": Batadal, "skab": Skab, "tep": Tep}

// MarshalJSON is the results, one object for each detector and set.
func (t *Table) MarshalJSON() ([]byte, error) { return json.Marshal(t.Results) }

// add runs the recipes, and the trivial answer that everything is an attack, over trials and counts them together.
func (t *Table) add(dataset string, trials []trial, recipes []recipe) error {
	all := len(trials) * len(recipes) * folds
	var turn sync.Mutex
	done := 0
	told := func() {
		turn.Lock()
		defer turn.Unlock()
		if done++; t.told != nil {
			t.told(done, all)
		}
	}
	always := Result{Dataset: dataset, Detector: "always-alarm"}
	for _, trial := range trials {
		for _, test := range trial.tests {
			said := slices.Repeat([]bool{true}, len(test.rows))
			always.count(test, said, t.Step)
		}
	}
	t.Results = append(t.Results, always)
	for _, r := range recipes {
		result := Result{Dataset: dataset, Detector: r.name}
		for _, trial := range trials {
			said, err := r.said(trial, told)
			if err != nil {
				return fmt.Errorf("%s: %w", trial.tests[0].path, err)
			}
			for i, test := range trial.tests {
				result.count(test, said[i], t.Step)
			}
		}
		t.Results = append(t.Results, result)
	}
	return nil
}

// String is the table for people.
func (t *Table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-20s %-22s %9s %7s %7s %9s %9s %12s %10s", "dataset", "detector", "precision", "recall", "F1", "false pos", "events", "false alarms", "delay")
	if t.Challenge {
		fmt.Fprintf(&b, " %6s", "S")
	}
	b.WriteByte('\n')
	for _, r := range t.Results {
		delay := "-"
		if r.EventsSeen > 0 {
			delay = r.Delay.Round(t.Step / 10).String()
		}
		fmt.Fprintf(&b, "%-20s %-22s %9.4f %7.4f %7.4f %8.2f%% %9s %12d %10s", r.Dataset, r.Detector, r.Precision(), r.Recall(), r.F1(), 100*r.FalsePositiveRate(),
			fmt.Sprintf("%d/%d", r.EventsSeen, r.Events), r.FalseAlarms, delay)
		if t.Challenge {
			fmt.Fprintf(&b, " %6.3f", r.Challenge)
		}
		b.WriteByte('\n')
	}
	if t.Detail != "" {
		b.WriteString("\n" + t.Detail)
	}
	return b.String()
}
