package breakwater

import (
	"math"
	"strings"
	"testing"
	"time"
)

func prediction() Prediction {
	return Prediction{Timestamp: t0, FacilityID: "north", Source: "forecaster", Current: "T0846", Predicted: []PredictedTechnique{
		{TechniqueID: "T0855", Probability: .3, Rank: 2}, {TechniqueID: "T0888.001", Probability: .6, Rank: 1}, {TechniqueID: "T0831", Probability: 0, Rank: 3},
	}}
}

func TestPredictionCheck(t *testing.T) {
	t.Parallel()
	p := prediction()
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"T0888.001", "T0855", "T0831"} {
		if p.Predicted[i].TechniqueID != want {
			t.Errorf("at place %d stands %s, want %s", i+1, p.Predicted[i].TechniqueID, want)
		}
	}
	for name, c := range map[string]struct {
		spoil func(*Prediction)
		says  string
	}{
		"facility":           {func(p *Prediction) { p.FacilityID = "" }, "facility id"},
		"no source":          {func(p *Prediction) { p.Source = "" }, "source is empty"},
		"source over lines":  {func(p *Prediction) { p.Source = "a\nb" }, "source holds a control character"},
		"current":            {func(p *Prediction) { p.Current = "T846" }, `current_technique "T846" is not a technique's id`},
		"lower case":         {func(p *Prediction) { p.Current = "t0846" }, "not a technique's id"},
		"digits of others":   {func(p *Prediction) { p.Current = "T٠٨٤٦" }, "not a technique's id"},
		"long sub-technique": {func(p *Prediction) { p.Current = "T0846.0001" }, "not a technique's id"},
		"line after it":      {func(p *Prediction) { p.Current = "T0846\n" }, "not a technique's id"},
		"none":               {func(p *Prediction) { p.Predicted = nil }, "holds 0 techniques"},
		"too many":           {func(p *Prediction) { p.Predicted = make([]PredictedTechnique, MaxPredicted+1) }, "give 1 to 200"},
		"technique":          {func(p *Prediction) { p.Predicted[1].TechniqueID = "scan" }, `predicted_techniques[1].technique_id "scan"`},
		"probability":        {func(p *Prediction) { p.Predicted[2].Probability = 1.01 }, "predicted_techniques[2].probability 1.01"},
		"no number":          {func(p *Prediction) { p.Predicted[0].Probability = math.NaN() }, "probability NaN"},
		"rank 0":             {func(p *Prediction) { p.Predicted[0].Rank = 0 }, "predicted_techniques[0].rank 0"},
		"rank past n":        {func(p *Prediction) { p.Predicted[0].Rank = 4 }, "ranks of 3 techniques are 1 to 3"},
		"rank twice":         {func(p *Prediction) { p.Predicted[0].Rank = 1 }, "rank 1 is given twice"},
		"technique twice":    {func(p *Prediction) { p.Predicted[0].TechniqueID = "T0831" }, "technique_id T0831 is given twice"},
		"timeframe":          {func(p *Prediction) { p.Predicted[0].Timeframe = strings.Repeat("x", MaxText+1) }, "timeframe has 201 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := prediction()
			c.spoil(&p)
			if err := p.Check(); KindOf(err) != Invalid || err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

func TestPredictionIdentify(t *testing.T) {
	t.Parallel()
	first := prediction()
	first.Identify()
	if again := prediction(); true {
		again.Predicted = nil // what comes next is not what it is
		if again.Identify(); again.ID != first.ID {
			t.Errorf("%s and %s: the same report has two ids", first.ID, again.ID)
		}
	}
	for name, change := range map[string]func(*Prediction){
		"time":      func(p *Prediction) { p.Timestamp = p.Timestamp.Add(time.Millisecond) },
		"facility":  func(p *Prediction) { p.FacilityID = "south" },
		"source":    func(p *Prediction) { p.Source = "other" },
		"technique": func(p *Prediction) { p.Current = "T0840" },
		"alert":     func(p *Prediction) { p.AlertID = &ID{1} },
	} {
		other := prediction()
		change(&other)
		if other.Identify(); other.ID == first.ID {
			t.Errorf("another %s has the same id", name)
		}
	}
	given := prediction()
	given.ID = ID{9}
	if given.Identify(); given.ID != (ID{9}) {
		t.Errorf("the given id became %s", given.ID)
	}
}

func TestTimeframes(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]time.Duration{
		"within 60 minutes": time.Hour, "within 24 hours": 24 * time.Hour, "within 7 days": 7 * 24 * time.Hour, "within 1 day": 24 * time.Hour,
		"15-60 minutes": time.Hour, "60–15 minutes": time.Hour, "2 to 4 hours": 4 * time.Hour, "1 hour to 2 days": 48 * time.Hour, "24h": 24 * time.Hour, "0.5 h": 30 * time.Minute,
		"Next 90 Seconds": 90 * time.Second, "in 2 weeks": 14 * 24 * time.Hour, "within 1000 days": 1000 * 24 * time.Hour,
		"": 0, "soon": 0, "within 0 days": 0, "within 5000 days": 0, "within 99999999999999999999 days": 0, "2 months": 0, "T0855": 0, "days": 0,
	} {
		d, ok := ParseTimeframe(words)
		if d != want || ok != (want > 0) {
			t.Errorf("%q is read as %v, %v, want %v", words, d, ok, want)
		}
		p := Prediction{Timestamp: time.Unix(0, 0), Predicted: []PredictedTechnique{{Timeframe: words}, {Timeframe: "within 1 second"}}}
		if want == 0 {
			want = DefaultTimeframe
		}
		if got := p.End().Sub(p.Timestamp); got != want {
			t.Errorf("%q ends after %v, want %v", words, got, want)
		}
	}
}
