package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"breakwater"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func of[T any](x T) *T { return &x }

func report(number int64, phase breakwater.Phase, progress float64) breakwater.RoundReport {
	return breakwater.RoundReport{Number: number, Phase: phase, Progress: progress}
}

func flClient(id string, status breakwater.ClientStatus) breakwater.FLClient {
	return breakwater.FLClient{ID: id, FacilityID: "plant", Status: status, Progress: 10, Epoch: 1, Epochs: 5}
}

func TestRoundFromBeginningToEnd(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		if r, err := s.CurrentRound(ctx); r != nil || err != nil {
			t.Fatalf("before the first round: %v, %v", r, err)
		}
		first := report(1, breakwater.Distributing, 0)
		first.Epsilon, first.Delta, first.DataSize, first.Encryption, first.BudgetRemaining = of(0.5), of(1e-5), of[int64](1<<40), of("TLS 1.3"), of(7.5)
		r, changed, err := s.ReportRound(ctx, 41, first, []breakwater.FLClient{flClient("c2", "delayed"), flClient("c1", "active")}, began)
		if err != nil || !changed {
			t.Fatalf("changed %t, %v", changed, err)
		}
		want := &breakwater.Round{ID: 41, Number: 1, Status: breakwater.RoundInProgress, Phase: breakwater.Distributing, Epsilon: of(0.5), ClientsActive: 1, TotalClients: 2,
			StartTime: began, LastUpdate: began, Version: 1, Delta: of(1e-5), DataSize: of[int64](1 << 40), Encryption: of("TLS 1.3"), BudgetRemaining: of(7.5)}
		for _, id := range []string{"c1", "c2"} {
			c := flClient(id, map[string]breakwater.ClientStatus{"c1": "active", "c2": "delayed"}[id])
			c.Name, c.LastUpdate, c.Version = id, began, 1
			want.Clients = append(want.Clients, c)
		}
		if diff := cmp.Diff(want, r); diff != "" {
			t.Errorf("the round (-want +got):\n%s", diff)
		}

		if _, changed, err := s.ReportRound(ctx, 41, first, nil, began.Add(time.Second)); changed || err != nil {
			t.Errorf("the same again: changed %t, %v", changed, err)
		}
		// A client that reports by itself is part of the round in progress.
		if _, err := s.ReportClient(ctx, flClient("c3", "active"), began.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		next := report(1, breakwater.Aggregating, 80)
		next.Accuracy = of(0.9)
		if r, _, err = s.ReportRound(ctx, 41, next, nil, began.Add(8*time.Minute)); err != nil || r.TotalClients != 3 || r.ClientsActive != 2 || *r.Epsilon != 0.5 || r.Version != 2 {
			t.Errorf("%+v, %v", r, err)
		}
		ended, changed, err := s.EndRound(ctx, 41, breakwater.RoundCompleted, "", began.Add(10*time.Minute))
		if err != nil || !changed || ended.Phase != breakwater.Complete || ended.Version != 3 {
			t.Fatalf("%+v, changed %t, %v", ended, changed, err)
		}
		// What its clients do afterwards is no part of it.
		if c, err := s.ReportClient(ctx, flClient("c1", "offline"), began.Add(time.Hour)); err != nil || c.Version != 2 {
			t.Fatalf("%+v, %v", c, err)
		}
		again, err := s.Round(ctx, 41)
		if diff := cmp.Diff(ended, again); diff != "" || err != nil {
			t.Errorf("%v; the ended round changed (-before +after):\n%s", err, diff)
		}

		second := report(2, breakwater.Training, 30)
		second.Accuracy, second.ClientsActive, second.TotalClients = of(0.94), of(5), of(6)
		if _, _, err := s.ReportRound(ctx, 42, second, nil, began.Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.EndRound(ctx, 42, breakwater.RoundFailed, "power cut", began.Add(2*time.Hour+90*time.Second)); err != nil {
			t.Fatal(err)
		}
		third := report(9, breakwater.Training, 30)
		third.Accuracy = of(0.95)
		if _, _, err := s.ReportRound(ctx, 3, third, nil, began.Add(3*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.EndRound(ctx, 3, breakwater.RoundCompleted, "", began.Add(4*time.Hour)); err != nil {
			t.Fatal(err)
		}
		history, err := s.RoundHistory(ctx, 10)
		wantHistory := []RoundResult{
			{Number: 9, Status: "completed", AccuracyChange: of(0.05), StartTime: began.Add(3 * time.Hour), EndTime: began.Add(4 * time.Hour)},
			{Number: 2, Status: "failed", Reason: "power cut", ClientsActive: 5, TotalClients: 6, StartTime: began.Add(2 * time.Hour), EndTime: began.Add(2*time.Hour + 90*time.Second)},
			{Number: 1, Status: "completed", ClientsActive: 2, TotalClients: 3, Epsilon: of(0.5), StartTime: began, EndTime: began.Add(10 * time.Minute)},
		}
		if diff := cmp.Diff(wantHistory, history, cmpopts.EquateApprox(0, 1e-9)); diff != "" || err != nil {
			t.Errorf("%v; history (-want +got):\n%s", err, diff)
		}
		metrics, err := s.PrivacyMetrics(ctx)
		wantMetrics := breakwater.PrivacyMetrics{Epsilon: of(0.5), Delta: of(1e-5), DataSize: of[int64](1 << 40), Encryption: of("TLS 1.3"), BudgetRemaining: of(7.5)}
		if diff := cmp.Diff(wantMetrics, metrics); diff != "" || err != nil {
			t.Errorf("%v; privacy (-want +got):\n%s", err, diff)
		}
		if current, err := s.CurrentRound(ctx); err != nil || current.ID != 3 {
			t.Errorf("current is %+v, %v", current, err)
		}
	})
}

func TestRoundsRefused(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		if m, err := s.PrivacyMetrics(ctx); err != nil || m != (breakwater.PrivacyMetrics{}) {
			t.Errorf("privacy before the first round: %+v, %v", m, err)
		}
		_, _, err := s.ReportRound(ctx, 1, report(1, "resting", 0), nil, began)
		wantError(t, err, breakwater.Invalid, "phase")
		_, _, err = s.ReportRound(ctx, 1, report(1, breakwater.Training, 0), []breakwater.FLClient{flClient("c1", "active"), flClient("C 2", "active")}, began)
		wantError(t, err, breakwater.Invalid, `"C 2" may not name a client`)
		_, _, err = s.ReportRound(ctx, 1, report(1, breakwater.Training, 0), make([]breakwater.FLClient, MaxClients+1), began)
		wantError(t, err, breakwater.Invalid, "at most 1000")
		_, err = s.Round(ctx, 1)
		wantError(t, err, breakwater.NotFound, "there is no round 1")
		_, err = s.Client(ctx, "c1")
		wantError(t, err, breakwater.NotFound, "there is no client c1")
		_, _, err = s.EndRound(ctx, 1, breakwater.RoundCompleted, "", began)
		wantError(t, err, breakwater.NotFound, "there is no round 1")
		if _, _, err := s.ReportRound(ctx, 1, report(5, breakwater.Training, 0), nil, began); err != nil {
			t.Fatal(err)
		}
		_, _, err = s.ReportRound(ctx, 2, report(6, breakwater.Training, 0), nil, began)
		wantError(t, err, breakwater.Conflict, "round 2 cannot begin: round 1 is in progress")
		if _, _, err := s.EndRound(ctx, 1, breakwater.RoundCompleted, "", began); err != nil {
			t.Fatal(err)
		}
		_, _, err = s.ReportRound(ctx, 2, report(5, breakwater.Training, 0), nil, began)
		wantError(t, err, breakwater.Conflict, "rounds come in order")
		_, err = s.Rounds(ctx, 0, 10)
		wantError(t, err, breakwater.Invalid, "pages count from 1")
	})
}

// Whatever is reported in whatever order: what is kept is what a plain model keeps, and what it refuses is refused.
func TestRoundsProperty(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		rapid.Check(t, func(rt *rapid.T) {
			empty(t, s)
			m := roundModel{}
			for step := range rapid.IntRange(1, 25).Draw(rt, "steps") {
				now := began.Add(time.Duration(step) * time.Minute)
				id := rapid.Int64Range(1, 3).Draw(rt, "id")
				var wantKind breakwater.ErrorKind
				var err error
				switch rapid.IntRange(0, 3).Draw(rt, "action") {
				case 0:
					status := rapid.SampledFrom([]breakwater.RoundStatus{breakwater.RoundCompleted, breakwater.RoundFailed}).Draw(rt, "end")
					reason := map[breakwater.RoundStatus]string{breakwater.RoundFailed: "rats"}[status]
					wantKind = m.end(id, status)
					_, _, err = s.EndRound(context.Background(), id, status, reason, now)
				default:
					r := report(rapid.Int64Range(1, 4).Draw(rt, "number"), rapid.SampledFrom(modelPhases[:3]).Draw(rt, "phase"), float64(rapid.IntRange(0, 4).Draw(rt, "progress")*25))
					if rapid.Bool().Draw(rt, "noise") {
						r.Epsilon = of(float64(rapid.IntRange(0, 3).Draw(rt, "epsilon")))
					}
					wantKind = m.report(id, r)
					_, _, err = s.ReportRound(context.Background(), id, r, nil, now)
				}
				if got := breakwater.KindOf(err); (err != nil) != (wantKind != 0) || err != nil && got != wantKind {
					rt.Fatalf("step %d: %v, the model says kind %d", step, err, wantKind)
				}
			}
			list, err := s.Rounds(context.Background(), 1, MaxPage)
			if err != nil {
				rt.Fatal(err)
			}
			got := roundModel{}
			for i, r := range list.Rounds {
				if i > 0 && list.Rounds[i-1].Number <= r.Number {
					rt.Fatalf("number %d stands before %d", list.Rounds[i-1].Number, r.Number)
				}
				got[r.ID] = &modelRound{r.Number, r.Phase, r.Progress, r.Epsilon, r.Status}
			}
			if diff := cmp.Diff(m, got, cmp.AllowUnexported(modelRound{})); diff != "" {
				rt.Fatalf("rounds (-model +store):\n%s", diff)
			}
		})
	})
}

// roundModel is the rules of rounds, told once more and as plainly as can be.
type roundModel map[int64]*modelRound

type modelRound struct {
	number   int64
	phase    breakwater.Phase
	progress float64
	epsilon  *float64
	status   breakwater.RoundStatus
}

var modelPhases = []breakwater.Phase{breakwater.Distributing, breakwater.Training, breakwater.Aggregating, breakwater.Complete}

// report gives the kind of error; 0, which is no kind that is expected, where it is taken.
func (m roundModel) report(id int64, r breakwater.RoundReport) breakwater.ErrorKind {
	known := m[id]
	if known == nil {
		for _, other := range m {
			if other.status == breakwater.RoundInProgress || other.number >= r.Number {
				return breakwater.Conflict
			}
		}
		m[id] = &modelRound{r.Number, r.Phase, r.Progress, r.Epsilon, breakwater.RoundInProgress}
		return 0
	}
	back := slices.Index(modelPhases, r.Phase) < slices.Index(modelPhases, known.phase) || r.Progress < known.progress ||
		known.epsilon != nil && r.Epsilon != nil && *r.Epsilon < *known.epsilon
	if known.status != breakwater.RoundInProgress || known.number != r.Number || back {
		return breakwater.Conflict
	}
	known.phase, known.progress = r.Phase, r.Progress
	if r.Epsilon != nil {
		known.epsilon = r.Epsilon
	}
	return 0
}

func (m roundModel) end(id int64, status breakwater.RoundStatus) breakwater.ErrorKind {
	known := m[id]
	switch {
	case known == nil:
		return breakwater.NotFound
	case known.status == status:
		return 0
	case known.status != breakwater.RoundInProgress:
		return breakwater.Conflict
	}
	known.status = status
	if status == breakwater.RoundCompleted {
		known.phase, known.progress = breakwater.Complete, 100
	}
	return 0
}

// Many engines and clients that report at the same time: at most one round begins, nobody waits for ever, nothing is lost.
func TestRoundsReportedTogether(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		const many = 8
		type result struct {
			id  int64
			err error
		}
		results := make(chan result)
		for n := range int64(many) {
			go func() {
				clients := []breakwater.FLClient{flClient(fmt.Sprintf("a%d", n), "active"), flClient(fmt.Sprintf("b%d", n), "active")}
				clients[0].FacilityID, clients[1].FacilityID = fmt.Sprintf("f%d", n%3), fmt.Sprintf("f%d", (n+1)%3)
				_, _, err := s.ReportRound(ctx, n+1, report(1, breakwater.Training, 10), clients, began)
				results <- result{n + 1, err}
			}()
		}
		var winner int64
		for range many {
			r := <-results
			switch {
			case r.err == nil && winner == 0:
				winner = r.id
			case r.err == nil:
				t.Errorf("rounds %d and %d both began", winner, r.id)
			default:
				wantError(t, r.err, breakwater.Conflict, "cannot begin")
			}
		}
		if winner == 0 {
			t.Fatal("no round began")
		}
		errs := make(chan error)
		for n := range many {
			go func() {
				_, err := s.ReportClient(ctx, flClient("shared", "active"), began)
				errs <- err
			}()
			go func() {
				clients := []breakwater.FLClient{flClient(fmt.Sprintf("a%d", n), "active"), flClient("shared", "delayed")}
				clients[0].FacilityID = fmt.Sprintf("f%d", n%3)
				_, _, err := s.ReportRound(ctx, winner, report(1, breakwater.Training, 10), clients, began)
				errs <- err
			}()
		}
		for range 2 * many {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		c, err := s.Client(ctx, "shared")
		if err != nil || c.Version != 2*many {
			t.Errorf("the shared client is at version %d (%v), want %d", c.Version, err, 2*many)
		}
	})
}

func TestClients(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		c := flClient("c2", "active")
		c.Loss, c.Accuracy, c.Name = of(0.25), of(0.75), "North"
		for _, c := range []breakwater.FLClient{c, flClient("c10", "offline"), flClient("c1", "delayed")} {
			if _, err := s.ReportClient(ctx, c, began); err != nil {
				t.Fatal(err)
			}
		}
		for _, q := range []struct {
			after string
			limit int
			want  string
		}{{"", 10, "c1 c10 c2"}, {"c1", 1, "c10"}, {"c2", 10, ""}, {"", 1 << 30, "c1 c10 c2"}} {
			list, err := s.Clients(ctx, q.after, q.limit)
			names := []string{}
			for _, c := range list {
				names = append(names, c.ID)
			}
			if got := strings.Join(names, " "); got != q.want || err != nil {
				t.Errorf("after %q: %q, %v; want %q", q.after, got, err, q.want)
			}
		}
		c.LastUpdate, c.Version = began, 1
		got, err := s.Client(ctx, "c2")
		if diff := cmp.Diff(&c, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		// A report replaces what was known.
		if _, err := s.ReportClient(ctx, flClient("c2", "offline"), began.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Client(ctx, "c2"); err != nil || got.Loss != nil || got.Name != "c2" || got.Version != 2 {
			t.Errorf("%+v, %v", got, err)
		}
		_, err = s.ReportClient(ctx, breakwater.FLClient{ID: "c2", FacilityID: "plant", Status: "asleep"}, began)
		wantError(t, err, breakwater.Invalid, "asleep")
	})
}
