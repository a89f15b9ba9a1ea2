package predict

import (
	"cmp"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"breakwater/internal/attack"
)

// seed is that of every draw: of the order of ties, and of the bootstrap.
const seed = 20180101

// draws is over how many orders of ties a figure is the mean: frequency alone ties most techniques with others.
const draws = 8

// resamples is how often the bootstrap draws profiles anew.
const resamples = 2000

// order is the i-th random order of n techniques: technique → place. It knows nothing of their ids.
func order(n int, i uint64) []int { return rand.New(rand.NewPCG(seed, i)).Perm(n) }

// Report says how good predictions are, measured on profiles that nothing was learned from.
type Report struct {
	Tasks       []Task    `json:"tasks"`
	Reliability []Bin     `json:"reliability"`
	FlowSteps   FlowSteps `json:"flow_steps"`
}

// FlowSteps says how far attacks go in the order of tactics: of the steps of published flows, the parts that go to a later
// stage, stay in one, and go back. Flows weigh the same.
type FlowSteps struct {
	Later   float64 `json:"later"`
	Same    float64 `json:"same"`
	Earlier float64 `json:"earlier"`
}

// Task is one task under one way of leaving out. The task hide-one asks for one technique of a profile of which all
// others were seen; later-stages for all that lie behind a stage, when two or more up to it were seen. Exclude says what
// training left out beside the profile itself: incident nothing, actor all that is linked to it by attribution or use.
// Figures are macro: the mean over profiles of the mean over a profile's cases.
type Task struct {
	Task     string `json:"task"`    // hide-one or later-stages
	Exclude  string `json:"exclude"` // incident or actor
	Profiles int    `json:"profiles"`
	Cases    int    `json:"cases"`
	Metrics
	Intervals Intervals          `json:"intervals"` // 95 %, bootstrap over profiles
	Shipped   Metrics            `json:"shipped"`   // of the one list that Predictor.Next gives
	Brier     [2]float64         `json:"brier"`     // of the probabilities, and of the share of what comes said of everything
	Baselines map[string]Metrics `json:"baselines"`
	Chosen    []Choice           `json:"chosen"` // settings that were chosen, most often first
}

// Intervals are 2.5 % and 97.5 % quantiles.
type Intervals struct {
	Recall5  [2]float64 `json:"recall_at_5"`
	Recall10 [2]float64 `json:"recall_at_10"`
	MRR      [2]float64 `json:"mrr"`
}

// Choice is how often the training profiles chose settings.
type Choice struct {
	Settings
	Times int `json:"times"`
}

// Bin is one row of the reliability table: of the techniques given a probability in this range, how many came.
type Bin struct {
	Task       string  `json:"task"`
	Exclude    string  `json:"exclude"`
	From       float64 `json:"from"`
	To         float64 `json:"to"`
	Techniques int     `json:"techniques"`
	Said       float64 `json:"said"` // mean probability
	Came       float64 `json:"came"` // part that came
}

// bins are the lower bounds of the reliability table's rows.
var bins = []float64{0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1}

// outcome is what one profile that was left out gave in one task.
type outcome struct {
	cases     int
	got       Metrics
	shipped   Metrics
	baselines map[string]Metrics
	chosen    Settings
	said      []sample // share is the probability that was said
}

// Evaluate measures predictions by leaving out each profile with at least three techniques in turn. Settings and
// calibration are chosen anew each time, by leaving out among the profiles that are left. It takes seconds, on all
// processors; the same catalogue gives the same report.
func Evaluate(c *attack.Catalogue) Report {
	f := newFacts(c)
	var tested []int
	for i, h := range f.profiles {
		if len(h.members) >= leastTechniques {
			tested = append(tested, i)
		}
	}
	return f.evaluate(tested)
}

// evaluate leaves out each of some profiles in turn. Each is worked on by itself, and they are put together in order.
func (f *facts) evaluate(tested []int) (r Report) {
	for _, task := range []string{"hide-one", "later-stages"} {
		for _, exclude := range []string{"incident", "actor"} {
			r.Tasks = append(r.Tasks, Task{Task: task, Exclude: exclude})
		}
	}
	outcomes := make([][4]outcome, len(tested))
	var work sync.WaitGroup
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, q := range tested {
		work.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			for x := range 2 {
				hide, later := f.leaveOut(q, x == 1)
				outcomes[i][x], outcomes[i][2+x] = hide, later
			}
		})
	}
	work.Wait()
	for i := range r.Tasks {
		of := make([]outcome, 0, len(tested))
		for _, o := range outcomes {
			if o[i].cases > 0 {
				of = append(of, o[i])
			}
		}
		r.Tasks[i].summarise(of)
		r.Reliability = append(r.Reliability, r.Tasks[i].reliability(of)...)
	}
	r.FlowSteps = f.flowSteps()
	return r
}

func (f *facts) flowSteps() (steps FlowSteps) {
	for _, fl := range f.flows {
		each := 1 / float64(len(fl.edges)*len(f.flows))
		for _, e := range fl.edges {
			switch cmp.Compare(f.stage[e[1]], f.stage[e[0]]) {
			case 1:
				steps.Later += each
			case 0:
				steps.Same += each
			default:
				steps.Earlier += each
			}
		}
	}
	return steps
}

// leaveOut learns without profile q and asks about it.
func (f *facts) leaveOut(q int, whole bool) (hide, later outcome) {
	all := make([]bool, len(f.profiles))
	for i := range all {
		all[i] = true
	}
	in := f.without(all, q, whole)
	p := &Predictor{facts: f, unseen: f.fit(in, whole, false), later: f.fit(in, whole, true)}
	return p.ask(f.profiles[q], p.unseen), p.ask(f.profiles[q], p.later)
}

// ask puts a profile's trials to one of the predictor's models, to the baselines, and to the list that is shipped.
func (p *Predictor) ask(h hub, m *model) outcome {
	trials := p.trials(h, m.later)
	o := outcome{cases: len(trials), chosen: m.Settings, baselines: map[string]Metrics{}}
	weight := 1 / float64(max(1, len(trials)))
	for i, tr := range trials {
		a := m.answer(tr.seen)
		for _, s := range sampled(a.candidates, a.shares, tr.truth, weight) {
			s.share = m.probability(s.share)
			o.said = append(o.said, s)
		}
		all, probabilities := p.merged(p.later.answer(tr.seen), p.unseen.answer(tr.seen))
		baselines := m.baselines(tr.seen, a.candidates)
		for d := range draws {
			tie := order(len(p.ids), uint64(1+i*draws+d))
			o.got.add(judge(a.candidates, a.shares, tr.truth, tie), weight/draws)
			o.shipped.add(judge(all, probabilities, tr.truth, tie), weight/draws)
			for name, scores := range baselines {
				sum := o.baselines[name]
				sum.add(judge(a.candidates, scores, tr.truth, tie), weight/draws)
				o.baselines[name] = sum
			}
		}
	}
	return o
}

// baselines are simpler answers to the same question, from the same training profiles, among the same candidates: they
// too know that only a later stage counts where that is the question. frequency: how many profiles use it. tactic-order:
// the nearest stage after the furthest seen first, what lies before it last. pmi: pointwise mutual information with each
// technique seen, summed. co-occurrence: of the profiles that use a technique seen, the part that use it too, summed.
// pagerank: the same walk with its usual damping of 0.85, over profiles only, begun at what was seen.
func (k *knowledge) baselines(seen, candidates []int) map[string][]float64 {
	at := walk(k.parts[viaProfile], k.startSeen(seen), 0.85)
	learned := 0.0
	for _, in := range k.in {
		if in {
			learned++
		}
	}
	furthest := k.furthest(seen)
	scores := map[string][]float64{}
	for _, t := range candidates {
		pmi, together := 0.0, 0.0
		for _, s := range seen {
			both := k.both(s, t)
			// Smoothed by a tenth of a profile, so that what never met is unlikely and not impossible.
			pmi += math.Log((both + 0.1) * (learned + 1) / ((k.count[s] + 0.5) * (k.count[t] + 0.5)))
			together += both / (k.count[s] + 1)
		}
		distance := k.stage[t] - furthest
		if distance <= 0 {
			distance = len(k.ids) - distance
		}
		scores["frequency"] = append(scores["frequency"], k.count[t])
		scores["tactic-order"] = append(scores["tactic-order"], -float64(distance))
		scores["pmi"] = append(scores["pmi"], pmi)
		scores["co-occurrence"] = append(scores["co-occurrence"], together)
		scores["pagerank"] = append(scores["pagerank"], at[t])
	}
	return scores
}

// both is how many learned profiles use two techniques.
func (k *knowledge) both(s, t int) (n float64) {
	for i, h := range k.profiles {
		if k.in[i] && slices.Contains(h.members, s) && slices.Contains(h.members, t) {
			n++
		}
	}
	return n
}

// summarise puts what the profiles gave together.
func (t *Task) summarise(of []outcome) {
	t.Profiles, t.Baselines = len(of), map[string]Metrics{}
	each := 1 / float64(max(1, len(of)))
	times := map[Settings]int{}
	var came, all float64
	for _, o := range of {
		t.Cases += o.cases
		t.add(o.got, each)
		t.Shipped.add(o.shipped, each)
		for name, m := range o.baselines {
			sum := t.Baselines[name]
			sum.add(m, each)
			t.Baselines[name] = sum
		}
		times[o.chosen]++
		for _, s := range o.said {
			all += s.weight
			if s.came {
				came += s.weight
			}
		}
	}
	for _, o := range of {
		for _, s := range o.said {
			y := 0.0
			if s.came {
				y = 1
			}
			t.Brier[0] += s.weight * (s.share - y) * (s.share - y) / all
			t.Brier[1] += s.weight * (came/all - y) * (came/all - y) / all
		}
	}
	for _, s := range grid {
		if times[s] > 0 {
			t.Chosen = append(t.Chosen, Choice{s, times[s]})
		}
	}
	slices.SortStableFunc(t.Chosen, func(a, b Choice) int { return b.Times - a.Times })
	t.Intervals = bootstrap(of)
}

// bootstrap draws the profiles anew, with repetition, and gives the quantiles of the means.
func bootstrap(of []outcome) (in Intervals) {
	if len(of) == 0 {
		return in
	}
	random := rand.New(rand.NewPCG(seed, 0))
	means := make([]Metrics, resamples)
	for i := range means {
		for range of {
			means[i].add(of[random.IntN(len(of))].got, 1/float64(len(of)))
		}
	}
	quantiles := func(value func(Metrics) float64) [2]float64 {
		sorted := make([]float64, len(means))
		for i, m := range means {
			sorted[i] = value(m)
		}
		slices.Sort(sorted)
		return [2]float64{sorted[resamples*25/1000], sorted[resamples*975/1000]}
	}
	in.Recall5 = quantiles(func(m Metrics) float64 { return m.Recall5 })
	in.Recall10 = quantiles(func(m Metrics) float64 { return m.Recall10 })
	in.MRR = quantiles(func(m Metrics) float64 { return m.MRR })
	return in
}

// reliability counts what was said against what came. Profiles weigh the same.
func (t *Task) reliability(of []outcome) (rows []Bin) {
	for i := range len(bins) - 1 {
		b := Bin{Task: t.Task, Exclude: t.Exclude, From: bins[i], To: bins[i+1]}
		sum := 0.0
		for _, o := range of {
			for _, s := range o.said {
				if s.share < b.From || s.share >= b.To {
					continue
				}
				b.Techniques++
				sum += s.weight
				b.Said += s.weight * s.share
				if s.came {
					b.Came += s.weight
				}
			}
		}
		if b.Techniques > 0 {
			b.Said, b.Came = b.Said/sum, b.Came/sum
			rows = append(rows, b)
		}
	}
	return rows
}
