package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/kafka/kafkatest"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a line to a cluster on which the topics are.
func open(t *testing.T, on kafkatest.Cluster) *Cluster {
	t.Helper()
	c, err := Open(Settings{Brokers: []string{on.Broker}, Prefix: on.Prefix, Group: on.Prefix + "nodes"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	soon, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c.Prepare(soon)
	if err := soon.Err(); err != nil {
		t.Fatal("the topics cannot be made")
	}
	return c
}

// seen is what was taken, by key, each the first time, and how often anything came again.
type seen struct {
	mu    sync.Mutex
	by    map[string][]string
	again int
	took  chan struct{}
}

func newSeen() *seen { return &seen{by: map[string][]string{}, took: make(chan struct{}, 1)} }

func (s *seen) add(records []Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		if slices.Contains(s.by[r.Key], string(r.Value)) {
			s.again++
			continue
		}
		s.by[r.Key] = append(s.by[r.Key], string(r.Value))
	}
	select {
	case s.took <- struct{}{}:
	default:
	}
}

func (s *seen) total() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, all := range s.by {
		n += len(all)
	}
	return n
}

// wait waits until so many were taken.
func (s *seen) wait(t *testing.T, n int) {
	t.Helper()
	for late := time.After(time.Minute); s.total() < n; {
		select {
		case <-s.took:
		case <-late:
			t.Fatalf("%d of %d were taken", s.total(), n)
		}
	}
}

func (s *seen) inOrder(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, all := range s.by {
		if !slices.IsSorted(all) {
			t.Errorf("those of %s came in another order than they were sent in", key)
		}
	}
}

// member takes records until it is stopped.
func member(t *testing.T, c *Cluster, g Group) (stop func()) {
	t.Helper()
	if g.Stream == nil {
		g.Stream = func(context.Context, *Stream) error { return errors.New("there is none") }
	}
	if g.Topics == nil {
		g.Topics = []string{NetworkData}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Consume(ctx, g) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func (s *seen) group() Group {
	return Group{Take: func(_ context.Context, records []Record) (int, error) {
		s.add(records)
		return len(records), nil
	}}
}

// send sends some numbered batches of each of eight facilities.
func send(t *testing.T, c *Cluster, from, to int) {
	t.Helper()
	var all sync.WaitGroup
	for f := range 8 {
		all.Go(func() {
			for i := from; i < to; i += 50 {
				var some [][]byte
				for n := i; n < min(i+50, to); n++ {
					some = append(some, fmt.Appendf(nil, "%06d", n))
				}
				if err := c.SendBatches(t.Context(), fmt.Sprintf("plant-%d", f), some); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// What was sent before anybody listened, and while a node was away, is taken, in order of each facility; what was committed
// does not come again after an orderly stop.
func TestOrder(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, on kafkatest.Cluster) {
		c, s := open(t, on), newSeen()
		send(t, c, 0, 500)
		stop := member(t, c, s.group())
		s.wait(t, 8*500)
		stop()
		if behind, err := c.Lag(t.Context()); err != nil || behind != 0 {
			t.Errorf("the lag is %d, %v", behind, err)
		}
		send(t, c, 500, 600)
		if behind, err := c.Lag(t.Context()); err != nil || behind != 8*100 {
			t.Errorf("with 800 sent the lag is %d, %v", behind, err)
		}
		stop = member(t, c, s.group())
		s.wait(t, 8*600)
		stop()
		s.inOrder(t)
		if s.again > 0 {
			t.Errorf("%d came again", s.again)
		}
	})
}

// A second node joins under load and leaves again, orderly: nothing is lost, nothing is out of order.
func TestRebalance(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, on kafkatest.Cluster) {
		c, s := open(t, on), newSeen()
		slow := Group{Take: func(_ context.Context, records []Record) (int, error) {
			time.Sleep(5 * time.Millisecond)
			n := min(len(records), 20)
			s.add(records[:n])
			return n, nil
		}}
		stop := member(t, c, slow)
		var load sync.WaitGroup
		load.Go(func() {
			for i := 0; i < 3000; i += 100 {
				send(t, c, i, i+100)
				time.Sleep(100 * time.Millisecond)
			}
		})
		s.wait(t, 100)
		second := member(t, c, slow)
		s.wait(t, 8*1200)
		second()
		s.wait(t, 8*2000)
		second = member(t, c, slow)
		load.Wait()
		s.wait(t, 8*3000)
		stop()
		second()
		s.inOrder(t)
		t.Logf("%d of %d came again", s.again, s.total())
	})
}

// Of records that are sent together each says what became of it.
func TestPutEach(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, on kafkatest.Cluster) {
		c := open(t, on)
		errs := c.PutEach(t.Context(), Record{Topic: Alerts, Key: "north", Value: []byte("1")},
			Record{Topic: Alerts, Key: "north", Value: make([]byte, 4<<20)}, Record{Topic: Alerts, Key: "north", Value: []byte("2")})
		if errs[0] != nil || breakwater.KindOf(errs[1]) != breakwater.TooLarge || errs[2] != nil {
			t.Errorf("%v", errs)
		}
	})
}

// While what a record needs is away it waits, and those behind it; nothing is a dead letter, and other facilities go on.
func TestEngineAway(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, on kafkatest.Cluster) {
		c, s := open(t, on), newSeen()
		var mu sync.Mutex
		away, tries := true, 0
		stop := member(t, c, Group{Take: func(_ context.Context, records []Record) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			if away && records[0].Key == "plant-3" {
				tries++
				return 0, &breakwater.Error{Kind: breakwater.Unavailable, Message: "the database is away"}
			}
			s.add(records)
			return len(records), nil
		}})
		send(t, c, 0, 100)
		// Facilities that share its partition wait too: those of another do not.
		for late := time.Now().Add(20 * time.Second); s.total() < 100; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(late) {
				t.Fatal("no other facility goes on")
			}
		}
		time.Sleep(sessionTimeout + 2*time.Second) // longer than a member may be silent
		mu.Lock()
		away = false
		if tries < 3 {
			t.Errorf("it was tried %d times", tries)
		}
		mu.Unlock()
		s.wait(t, 800)
		stop()
		s.inOrder(t)
		if letters := dead(t, c, on, 0); len(letters) > 0 {
			t.Errorf("dead letters: %+v", letters)
		}
	})
}

// dead reads the dead letters of network_data: some, or, where none are awaited, those that come in a second.
func dead(t *testing.T, c *Cluster, on kafkatest.Cluster, some int) (letters []*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(on.Broker), kgo.ConsumeTopics(on.Prefix+NetworkData+deadLetters), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for late := time.Now().Add(20 * time.Second); time.Now().Before(late) && (some == 0 || len(letters) < some); {
		wait := time.Until(late)
		if some == 0 {
			wait, late = time.Second, time.Now()
		}
		soon, cancel := context.WithTimeout(t.Context(), wait)
		letters = append(letters, client.PollFetches(soon).Records()...)
		cancel()
	}
	return letters
}

// What can never be taken goes to the dead letters with the reason and whence it is, once; what is before and behind it is
// taken. What the program itself fails on does so after some tries.
func TestDeadLetters(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, on kafkatest.Cluster) {
		c, s := open(t, on), newSeen()
		g := Group{Take: func(_ context.Context, records []Record) (int, error) {
			for i, r := range records {
				switch {
				case strings.HasPrefix(string(r.Value), "poison"):
					return i, &breakwater.Error{Kind: breakwater.Invalid, Message: "no batch: " + string(r.Value)}
				case string(r.Value) == "bug":
					return i, errors.New("a bug")
				}
				s.add(records[i : i+1])
			}
			return len(records), nil
		}}
		stop := member(t, c, g)
		if err := c.SendBatches(t.Context(), "north", [][]byte{[]byte("1"), []byte("poison 1"), []byte("2"), []byte("bug"), []byte("3")}); err != nil {
			t.Fatal(err)
		}
		s.wait(t, 3)
		letters := dead(t, c, on, 2)
		if len(letters) != 2 || string(letters[0].Value) != "poison 1" || string(letters[1].Value) != "bug" {
			t.Fatalf("dead letters: %+v", letters)
		}
		h := headersOf(letters[0])
		if h[headerError] != "no batch: poison 1" || h[headerTopic] != on.Prefix+NetworkData || h[headerWhere] == "" || h[headerOffset] != "1" || h[HeaderSchema] != BatchSchema || string(letters[0].Key) != "north" {
			t.Errorf("its headers are %v", h)
		}
		stop()
		stop = member(t, c, g)
		if err := c.SendBatches(t.Context(), "north", [][]byte{[]byte("4")}); err != nil {
			t.Fatal(err)
		}
		s.wait(t, 4)
		stop()
		s.inOrder(t)
		if s.again > 0 {
			t.Errorf("%d came again: they were not committed", s.again)
		}
	})
}

// A capture goes on in parts, of which none is committed before the last was taken: a node that takes over reads it from its
// beginning. Two of them in one partition do not mix.
func TestStreams(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, on kafkatest.Cluster) {
		c := open(t, on)
		parts := make(chan string, 100)
		g := Group{Topics: []string{NetworkData}, Take: newSeen().group().Take, Stream: func(ctx context.Context, s *Stream) error {
			text := s.Facility + " " + s.Kind + " " + s.Learn.String()
			for p := range s.Parts {
				text += " " + string(p)
				parts <- string(p)
			}
			if s.Facility == "slow" {
				time.Sleep(200 * time.Millisecond)
			}
			if ctx.Err() == nil {
				parts <- text
			}
			return ctx.Err()
		}}
		stop := member(t, c, g)
		one := c.Forward(t.Context(), "pcap", "north", 5*time.Minute)
		two := c.Forward(t.Context(), "zeek", "north", 0)
		write := func(w interface{ Write([]byte) (int, error) }, p string) {
			t.Helper()
			if _, err := w.Write([]byte(p)); err != nil {
				t.Fatal(err)
			}
		}
		want := func(texts ...string) {
			t.Helper()
			var got []string
			for range texts {
				select {
				case p := <-parts:
					got = append(got, p)
				case <-time.After(30 * time.Second):
					t.Fatalf("got %q, want %q", got, texts)
				}
			}
			slices.Sort(got)
			slices.Sort(texts)
			if !slices.Equal(got, texts) {
				t.Fatalf("got %q, want %q", got, texts)
			}
		}
		write(one, "a")
		write(two, "x")
		write(one, "b")
		want("a")
		stop() // in the middle of both
		stop = member(t, c, g)
		write(one, "c")
		write(two, "y")
		if err := errors.Join(one.Close(), two.Close()); err != nil {
			t.Fatal(err)
		}
		want("a", "b", "c", "north pcap 5m0s a b c", "x", "y", "north zeek 0s x y")
		for late := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if behind, err := c.Lag(t.Context()); err == nil && behind == 0 {
				break
			}
			if time.Now().After(late) {
				t.Fatal("what ended is not committed")
			}
		}
		stop()
		stop = member(t, c, g)
		four, five := c.Forward(t.Context(), "pcap", "slow", 0), c.Forward(t.Context(), "pcap", "slow", 0)
		write(four, "first")
		if err := four.Close(); err != nil {
			t.Fatal(err)
		}
		write(five, "second")
		if err := five.Close(); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"first", "slow pcap 0s first", "second", "slow pcap 0s second"} {
			want(text)
		}
		three := c.Forward(t.Context(), "eve", "north", 0)
		write(three, "z")
		if err := three.Close(); err != nil {
			t.Fatal(err)
		}
		want("z", "north eve 0s z") // and none of the others again
		stop()
	})
}

// A stream that nobody goes on with is ended as one that was cut short, and does not hold back the commit for ever.
func TestForsakenStream(t *testing.T) {
	w := &worker{reader: &reader{cluster: &Cluster{log: slog.New(slog.DiscardHandler)}}, streams: map[string]*stream{}, ctx: t.Context(), news: make(chan struct{}, 1)}
	ended := make(chan int, 1)
	w.group.Stream = func(_ context.Context, s *Stream) error {
		n := 0
		for range s.Parts {
			n++
		}
		ended <- n
		return nil
	}
	r := &kgo.Record{Key: []byte("north"), Value: []byte("a"), Headers: headers{HeaderSchema: "pcap/1", headerStream: "s", headerPart: "0"}.list()}
	if err := w.takePart(r); err != nil {
		t.Fatal(err)
	}
	w.endForsaken(time.Now().Add(streamForsaken - time.Second))
	select {
	case n := <-ended:
		t.Fatalf("it was ended too early, after %d parts", n)
	case <-time.After(50 * time.Millisecond):
	}
	w.endForsaken(time.Now().Add(streamForsaken + time.Second))
	if n := <-ended; n != 1 {
		t.Errorf("%d parts were read", n)
	}
	r.Headers = headers{HeaderSchema: "pcap/1", headerStream: "s", headerPart: "1"}.list()
	if err := w.takePart(r); breakwater.KindOf(err) != breakwater.Invalid {
		t.Errorf("a part that came after the end: %v", err)
	}
	<-w.streams["s"].ended
	if !w.reap() || len(w.streams) != 0 {
		t.Errorf("%d streams are open", len(w.streams))
	}
}

// TLS and each way to ask for a password, with the right one and with a wrong one, which no error shows.
func TestSafe(t *testing.T) {
	on, ca := kafkatest.Safe(t)
	for _, mechanism := range Mechanisms {
		for password, right := range map[string]bool{"s3cret": true, "wr0ng-one": false} {
			c, err := Open(Settings{Brokers: []string{on.Broker}, TLS: true, CAFile: ca, Mechanism: mechanism, Username: "plant", Password: password}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			soon, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			err = c.Ping(soon)
			cancel()
			c.Close()
			if (err == nil) != right {
				t.Errorf("%s with %s: %v", mechanism, password, err)
			}
			if err != nil && (breakwater.KindOf(err) != breakwater.Unavailable || strings.Contains(err.Error(), password)) {
				t.Errorf("%s: the error is %v", mechanism, err)
			}
		}
	}
	if _, err := Open(Settings{Brokers: []string{on.Broker}, TLS: true, CAFile: ca + ".none"}, slog.New(slog.DiscardHandler)); breakwater.KindOf(err) != breakwater.Unavailable {
		t.Errorf("without the authority's file: %v", err)
	}
}

// Without a broker everything says so, and nothing hangs.
func TestNobodyThere(t *testing.T) {
	c, err := Open(Settings{Brokers: []string{"127.0.0.1:1"}, Group: "nodes"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	soon, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, lag := c.Lag(soon)
	for what, err := range map[string]error{"ping": c.Ping(soon), "send": c.SendBatches(soon, "north", [][]byte{[]byte("{}")}), "lag": lag} {
		if breakwater.KindOf(err) != breakwater.Unavailable {
			t.Errorf("%s: %v", what, err)
		}
	}
	c.Prepare(soon) // returns
}

// A Take that says that all is done and that something failed is not believed that the last is: it comes again.
func TestDoneAndFailed(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, on kafkatest.Cluster) {
		c, s := open(t, on), newSeen()
		tries := 0
		stop := member(t, c, Group{Take: func(_ context.Context, records []Record) (int, error) {
			if tries++; tries == 1 {
				return len(records), &breakwater.Error{Kind: breakwater.Invalid, Message: "wrong"}
			}
			s.add(records)
			return len(records), nil
		}})
		for _, text := range []string{"1", "2"} {
			if err := c.SendBatches(t.Context(), "north", [][]byte{[]byte(text)}); err != nil {
				t.Fatal(err)
			}
			if text == "1" {
				if letters := dead(t, c, on, 1); len(letters) != 1 {
					t.Errorf("dead letters: %+v", letters)
				}
			}
		}
		s.wait(t, 1)
		stop()
	})
}

// A partition that goes is let go of between two calls of Take, and not when all that was fetched of it is worked off.
func TestStopsBetweenRecords(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, on kafkatest.Cluster) {
		c := open(t, on)
		for f := range 200 {
			if err := c.SendBatches(t.Context(), fmt.Sprintf("plant-%d", f), [][]byte{[]byte("1")}); err != nil {
				t.Fatal(err)
			}
		}
		var calls atomic.Int64
		stop := member(t, c, Group{Take: func(ctx context.Context, records []Record) (int, error) {
			calls.Add(1)
			<-ctx.Done()
			return len(records), nil
		}})
		for late := time.Now().Add(20 * time.Second); calls.Load() < partitions/2 && time.Now().Before(late); {
			time.Sleep(10 * time.Millisecond)
		}
		stop()
		if n := calls.Load(); n == 0 || n > partitions {
			t.Errorf("Take was called %d times for %d partitions", n, partitions)
		}
	})
}

// Records of one key are taken in the order they were sent in, also where their schemas differ.
func TestOrderAcrossSchemas(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, on kafkatest.Cluster) {
		c, s := open(t, on), newSeen()
		for i, schema := range []string{"round/1", "round/1", "end/1", "round/1", "end/1"} {
			r := Record{Topic: FLEvents, Key: "federation", Value: fmt.Appendf(nil, "%d %s", i, schema), Headers: map[string]string{HeaderSchema: schema}}
			if err := c.Put(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		stop := member(t, c, Group{Topics: []string{FLEvents}, Take: func(_ context.Context, records []Record) (int, error) {
			for _, r := range records {
				if r.Headers[HeaderSchema] != records[0].Headers[HeaderSchema] {
					t.Error("records of two schemas came together")
				}
			}
			s.add(records)
			return len(records), nil
		}})
		s.wait(t, 5)
		stop()
		s.inOrder(t)
	})
}
