package store

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/store/storetest"
)

const leaseLasts = 5 * time.Second

// elsewhere is a node of another machine: whether it is there shows in what it says alone.
func elsewhere(name string) Node {
	n := NewNode(name)
	n.place = "elsewhere/" + name
	return n
}

// wantTaken checks who is said to have a lease.
func wantTaken(t *testing.T, err error, by string) {
	t.Helper()
	taken, ok := errors.AsType[*Taken](err)
	if breakwater.KindOf(err) != breakwater.Conflict || !ok || taken.By != by || taken.Left <= 0 || taken.Left > leaseLasts {
		t.Errorf("%v (%+v), want a conflict with %s", err, taken, by)
	}
}

// A lease is one node's at a time; given back it is free at once, and again the same node's as often as that wants it.
func TestLease(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx, a, b := t.Context(), elsewhere("alpha:8000"), elsewhere("beta:8000")
		held, release, err := s.Hold(ctx, a, "leader", leaseLasts, Want)
		if err != nil {
			t.Fatal(err)
		}
		if _, again, err := s.Hold(ctx, a, "leader", leaseLasts, Want); err != nil {
			t.Error(err)
		} else {
			defer again()
		}
		_, _, err = s.Hold(ctx, b, "leader", leaseLasts, Want)
		wantTaken(t, err, "alpha:8000")
		if _, other, err := s.Hold(ctx, b, "facility:north", leaseLasts, Want); err != nil {
			t.Error(err)
		} else {
			other()
		}
		time.Sleep(leaseLasts + leaseAgain/2) // it is taken again and again
		if _, _, err = s.Hold(ctx, b, "leader", leaseLasts, Want); held.Err() != nil {
			t.Error("the holder has lost it though the database answers")
		}
		wantTaken(t, err, "alpha:8000")
		release()
		if held.Err() == nil {
			t.Error("it is held after it was given back")
		}
		if _, release, err := s.Hold(ctx, b, "leader", leaseLasts, Want); err != nil {
			t.Error(err)
		} else {
			release()
		}
	})
}

// A holder that cannot say any more that it is there stops before another begins.
func TestLeaseOfOneThatIsCutOff(t *testing.T) {
	for name, url := range engines {
		if name == "sqlite memory" {
			continue // nobody else reaches it
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := url(t)
			cut, s := migrated(t, u), open(t, u)
			began := time.Now()
			held, release, err := cut.Hold(t.Context(), elsewhere("alpha:8000"), "leader", leaseLasts, Want)
			if err != nil {
				t.Fatal(err)
			}
			defer release()
			cut.write.Close()
			cut.read.Close()
			var stopped time.Time
			ended := make(chan struct{})
			context.AfterFunc(held, func() { stopped = time.Now(); close(ended) })
			_, other, err := s.Hold(t.Context(), elsewhere("beta:8000"), "leader", leaseLasts, Await)
			took := time.Now()
			if err != nil {
				t.Fatal(err)
			}
			other()
			<-ended
			if margin := took.Sub(stopped); margin < 500*time.Millisecond || took.Sub(began) > leaseLasts+leaseAgain {
				t.Errorf("stopped after %v, the other began after %v", stopped.Sub(began), took.Sub(began))
			}
		})
	}
}

// What a process of this machine held that has ended is free at once: a server that was killed and is started again does
// not wait.
func TestLeaseOfOneThatIsGone(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		done := exec.Command("true")
		if err := done.Run(); err != nil {
			t.Skip(err)
		}
		dead, here := NewNode("here:8000"), NewNode("here:8001")
		if here.place == "" {
			t.Skip("this system does not say which machine it is")
		}
		dead.pid = done.Process.Pid
		if l, err := s.take(t.Context(), dead, "leader", leaseLasts, Want); err != nil || !l.mine {
			t.Fatal(l, err)
		}
		if _, err := s.ReportNode(t.Context(), dead, NodeReport{}); err != nil {
			t.Fatal(err)
		}
		if others, err := s.ReportNode(t.Context(), here, NodeReport{}); err != nil || len(others) != 0 {
			t.Errorf("%v are there, %v", others, err)
		}
		_, release, err := s.Hold(t.Context(), here, "leader", leaseLasts, Want)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		alive := NewNode("here:8002")
		alive.pid = 1 // there always is one, though not ours
		if l, err := s.take(t.Context(), alive, "facility:north", leaseLasts, Want); err != nil || !l.mine {
			t.Fatal(l, err)
		}
		_, _, err = s.Hold(t.Context(), here, "facility:north", leaseLasts, Want)
		wantTaken(t, err, "here:8002")
	})
}

// Who has a lease only as long as nobody wants it gives way, and does not come back while another waits.
func TestSpareLease(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx, a, b := t.Context(), elsewhere("alpha:8000"), elsewhere("beta:8000")
		held, release, err := s.Hold(ctx, a, "facility:demo", leaseLasts, Spare)
		if err != nil {
			t.Fatal(err)
		}
		context.AfterFunc(held, func() {
			release()
			if _, again, err := s.Hold(ctx, a, "facility:demo", leaseLasts, Spare); err == nil {
				again()
				t.Error("it came back while another waited")
			}
		})
		began := time.Now()
		_, other, err := s.Hold(ctx, b, "facility:demo", leaseLasts, Await)
		if err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited > 2*leaseAgain {
			t.Errorf("it waited %v", waited)
		}
		_, _, err = s.Hold(ctx, a, "facility:demo", leaseLasts, Spare)
		wantTaken(t, err, "beta:8000")
		other()
		soon, cancel := context.WithCancel(ctx)
		cancel()
		if _, _, err := s.Hold(soon, a, "facility:demo", leaseLasts, Await); breakwater.KindOf(err) != breakwater.Unavailable {
			t.Errorf("who does not want to wait any more: %v", err)
		}
	})
}

// Nodes hear of each other what they say of themselves, as long as they do.
func TestReportNode(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx, a, b := t.Context(), elsewhere("alpha:8000"), elsewhere("beta:8000")
		if others, err := s.ReportNode(ctx, a, NodeReport{EventsPerSec: 12.5, Lag: 3, Joined: true}); err != nil || len(others) != 0 {
			t.Errorf("%+v, %v", others, err)
		}
		others, err := s.ReportNode(ctx, b, NodeReport{})
		if err != nil || len(others) != 1 || others[0] != (NodeReport{Name: "alpha:8000", EventsPerSec: 12.5, Lag: 3, Joined: true}) {
			t.Errorf("%+v, %v", others, err)
		}
		if err := s.DismissNode(ctx, a); err != nil {
			t.Error(err)
		}
		if others, err := s.ReportNode(ctx, b, NodeReport{}); err != nil || len(others) != 0 {
			t.Errorf("%+v, %v", others, err)
		}
	})
}

// A caller who keeps something of a facility in memory is told, with the batch, what others saved meanwhile.
func TestMemory(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		second := func(i int) breakwater.Batch {
			return breakwater.Batch{FacilityID: "plant", Windows: []breakwater.Window{{FacilityID: "plant", Time: began.Truncate(time.Second).Add(time.Duration(i) * time.Second), PacketsPerSec: float64(i)}}}
		}
		recalled := -1
		m := &Memory{Recall: func(w []breakwater.Window, _ []breakwater.Detection) { recalled = len(w) }}
		next := func(i, want int) {
			t.Helper()
			recalled = -1
			if _, err := s.SaveNext(ctx, second(i), m); err != nil || recalled != want {
				t.Errorf("second %d: %d seconds recalled, want %d (%v)", i, recalled, want, err)
			}
		}
		next(0, -1)
		next(1, -1)
		if _, err := s.SaveBatch(ctx, second(2), nil); err != nil {
			t.Fatal(err)
		}
		next(3, 3)
		next(4, -1)
		if err := s.ForgetAttacks(ctx, "plant"); err != nil {
			t.Fatal(err)
		}
		next(5, 5)
		if err := s.RemoveFacilities(ctx, []string{"plant"}); err != nil {
			t.Fatal(err)
		}
		next(6, 0)
		facilities, heard, err := s.Heard(ctx)
		if err != nil || len(heard) != 1 || heard[0].Revision != m.Revision || facilities[0].PacketsPerSec != 0 || facilities[0].Status != breakwater.Silent {
			t.Fatalf("%+v %+v %v", facilities, heard, err)
		}
		f := facilities[0]
		for i, to := range []breakwater.Presence{breakwater.Active, breakwater.Active, breakwater.Silent} {
			before := f
			if err := s.Turn(ctx, &f, to, began); err != nil {
				t.Fatal(err)
			}
			if turned := i != 1; turned != (f.Version > before.Version) || f.Status != to || f.PacketsPerSec != map[breakwater.Presence]float64{breakwater.Active: 6}[to] {
				t.Errorf("turned to %s: %+v", to, f)
			}
		}
	})
}

// A lease that was given back a moment ago is not forgotten by a node that ends: who waits for it has said so there.
func TestDismissNodeKeepsWhoWaits(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx, a, b := t.Context(), elsewhere("alpha:8000"), elsewhere("beta:8000")
		_, release, err := s.Hold(ctx, a, "facility:demo", leaseLasts, Want)
		if err != nil {
			t.Fatal(err)
		}
		if l, err := s.take(ctx, b, "facility:demo", leaseLasts, Await); err != nil || l.mine {
			t.Fatal(l, err)
		}
		release()
		if err := s.DismissNode(ctx, a); err != nil {
			t.Fatal(err)
		}
		if l, err := s.take(ctx, a, "facility:demo", leaseLasts, Spare); err != nil || l.mine {
			t.Errorf("%+v, %v: it came back while another waited", l, err)
		}
	})
}

// Nodes that take a lease and give it back, while others forget it, are told of nobody but a node that has it.
func TestLeaseOfMany(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var nodes sync.WaitGroup
		for i := range 6 {
			n := elsewhere(fmt.Sprint("node", i, ":8000"))
			nodes.Go(func() {
				for ctx.Err() == nil {
					_, release, err := s.Hold(t.Context(), n, "leader", leaseLasts, Want)
					if err == nil {
						release()
					} else if taken, ok := errors.AsType[*Taken](err); !ok || taken.By == "" {
						t.Errorf("%v", err)
						return
					}
				}
			})
		}
		for ctx.Err() == nil {
			if _, err := s.write.Exec(`DELETE FROM leases WHERE holder = ''`); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		nodes.Wait()
	})
}

// Who asks for a lease and is not answered does not wait for ever.
func TestLeaseOfOneThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := migrated(t, storetest.Postgres(t))
	n := elsewhere("alpha:8000")
	if l, err := s.take(t.Context(), n, "leader", leaseLasts, Want); err != nil || !l.mine {
		t.Fatal(l, err)
	}
	stuck, err := s.write.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stuck.Rollback()
	if _, err := stuck.Exec(`SELECT 1 FROM leases FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if l, err := s.take(ctx, n, "leader", 300*time.Millisecond, Want); breakwater.KindOf(err) != breakwater.Unavailable || ctx.Err() != nil {
		t.Errorf("%+v, %v; its own context: %v", l, err, ctx.Err())
	}
}
