package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"breakwater"
)

// What one node at a time may do, it does while it holds a lease: a row that says who, and until when.
//
//	taken ── taken again each leaseAgain ───────────── … ── given back: over at once
//	  └─ the holder believes in it for a second less ┘
//	  └─ others believe in it for as long as it lasts ─┘
//
// The row's times are by the database's clock, so that nodes need not agree on theirs; the holder's trust runs by its own,
// from before it asked. A holder that is cut off, or was stopped for a while, so stops a second before another begins. What
// it had under way then is fenced by its own conditions: a round's step, a prediction's status, a demo's row.
const (
	leaseAgain  = time.Second
	leaseMargin = time.Second
	// leaseWanted is how long a node that waits for a lease counts as waiting; it asks again each leaseAsks.
	leaseWanted = 2 * time.Second
	leaseAsks   = 100 * time.Millisecond
)

// Node is one process that serves.
type Node struct {
	Name  string // for people, without spaces: host:port
	place string // the machine and its table of processes, where that can be told; else ""
	pid   int
	id    string // that no other process ever has
}

// NewNode is this process, by a name.
func NewNode(name string) Node {
	n := Node{Name: strings.Join(strings.Fields(name), "-"), pid: os.Getpid(), id: rand.Text()[:8]}
	// Two containers may share a machine and its name, but then not the table of processes.
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return n
	}
	if processes, err := os.Readlink("/proc/self/ns/pid"); err == nil {
		n.place = strings.TrimSpace(string(boot)) + "/" + processes
	}
	return n
}

// String is what names it in rows.
func (n Node) String() string { return fmt.Sprintf("%s %d %s %s", n.Name, n.pid, n.id, n.place) }

// gone reports whether the process of a row is known to have ended: it was one of this machine. So a server that was
// killed and is started again does not wait for its own lease to end.
func (n Node) gone(holder string) bool {
	fields := strings.Fields(holder)
	if len(fields) != 4 || n.place == "" || fields[3] != n.place {
		return false
	}
	pid, err := strconv.Atoi(fields[1])
	if err != nil {
		return false
	}
	p, err := os.FindProcess(pid)
	return errors.Is(err, os.ErrProcessDone) || err == nil && errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

// Taken is why a lease could not be had: another node holds it.
type Taken struct {
	By   string        // the node's name
	Left time.Duration // until it is over, where that node does not take it again
}

// Error says so.
func (t *Taken) Error() string {
	return fmt.Sprintf("node %s has it for %.1f s more, unless it takes it again", t.By, t.Left.Seconds())
}

// Wish is how much a node wants a lease.
type Wish int

// The wishes: to have it if nobody else has it or waits for it, and only until somebody waits; to have it if nobody has
// it; to wait for it.
const (
	Spare Wish = iota
	Want
	Await
)

// Hold takes a lease for a node, which lasts for a while of more than two seconds, and takes it again until release is called, which gives it back. held, which does not hang
// on ctx, ends before another can have it. What one node holds twice is given back by the first release. The error is of kind Conflict, with
// a *Taken as its cause, where another node has it, and Unavailable where the database cannot be had.
func (s *Store) Hold(ctx context.Context, n Node, name string, lasts time.Duration, w Wish) (held context.Context, release func(), err error) {
	asked := time.Now()
	l, err := s.take(ctx, n, name, lasts, w)
	for err == nil && !l.mine && w == Await {
		select {
		case <-ctx.Done():
			return nil, nil, s.failed("waiting for "+name, ctx.Err())
		case <-time.After(leaseAsks):
		}
		asked = time.Now()
		l, err = s.take(ctx, n, name, lasts, w)
	}
	if err != nil {
		return nil, nil, err
	}
	if !l.mine {
		taken := &Taken{By: l.by, Left: max(0, l.left)}
		return nil, nil, &breakwater.Error{Kind: breakwater.Conflict, Message: name + " belongs to node " + taken.By + " at present: try again", Err: taken}
	}
	held, end := context.WithCancel(context.WithoutCancel(ctx))
	trust := time.AfterFunc(lasts-leaseMargin-time.Since(asked), end)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer end()
		tick := time.NewTicker(leaseAgain)
		defer tick.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-tick.C:
			}
			asked := time.Now()
			l, err := s.take(held, n, name, lasts, Want)
			switch {
			case err != nil: // it may be had again before trust ends
			case !l.mine, w == Spare && l.wanted:
				return
			default:
				trust.Reset(lasts - leaseMargin - time.Since(asked))
			}
		}
	}()
	return held, func() {
		trust.Stop()
		end()
		<-ended
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lasts)
		defer cancel()
		// Where it cannot be given back it is over soon all the same. That it is over just now, and not for long, keeps the row,
		// where others say that they wait, from being forgotten.
		_, _ = s.write.ExecContext(last, `UPDATE leases SET until = `+s.clock()+`, holder = '' WHERE name = $1 AND holder = $2`, name, n.String())
	}, nil
}

// lease is what became of an attempt to take one.
type lease struct {
	mine   bool
	wanted bool // another waits for it
	by     string
	left   time.Duration
}

// take takes a lease that is free, over, or n's already. It does not wait for a database that does not go on for longer than
// the lease would last.
func (s *Store) take(ctx context.Context, n Node, name string, lasts time.Duration, w Wish) (l lease, err error) {
	const doing = "taking a lease"
	ctx, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	dead := ""
	for {
		var left int64
		err = s.write.QueryRowContext(ctx, `INSERT INTO leases (name, holder, until, wanted) VALUES ($1, $2, `+s.clock()+` + $3, 0)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
			WHERE leases.holder = excluded.holder OR leases.holder = $4 AND $4 <> '' OR leases.until <= `+s.clock()+` AND ($5 OR leases.wanted <= `+s.clock()+`)
			RETURNING wanted - `+s.clock(), name, n.String(), lasts.Milliseconds(), dead, w != Spare).Scan(&left)
		if err == nil {
			return lease{mine: true, wanted: left > 0}, nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return l, s.failed(doing, err)
		}
		var holder string
		err = s.write.QueryRowContext(ctx, `SELECT holder, until - `+s.clock()+` FROM leases WHERE name = $1`, name).Scan(&holder, &left)
		switch {
		case errors.Is(err, sql.ErrNoRows): // it was forgotten since
			continue
		case err != nil:
			return l, s.failed(doing, err)
		case left <= 0 && w != Spare: // it was given back since, or is over
			continue
		case dead == "" && n.gone(holder):
			dead = holder
			continue
		}
		l.by, _, _ = strings.Cut(holder, " ")
		l.left = time.Duration(left) * time.Millisecond
		break
	}
	if w == Await {
		_, err = s.write.ExecContext(ctx, `UPDATE leases SET wanted = `+s.clock()+` + $2 WHERE name = $1`, name, leaseWanted.Milliseconds())
	}
	return l, s.failed(doing, err)
}

// NodeReport is what a node tells of itself, so that each can speak for all.
type NodeReport struct {
	Name         string
	Joined       bool // what it tells listeners, those of other nodes hear too
	EventsPerSec float64
	Lag          int64 // batches that have come to it and are not durable yet
}

// nodeLasts is how long a node counts as there after it said something.
const nodeLasts = 6 * time.Second

// ReportNode takes in what a node tells of itself, for as long as it does so every few seconds, and gives what the others do.
func (s *Store) ReportNode(ctx context.Context, n Node, r NodeReport) (others []NodeReport, err error) {
	err = s.change(ctx, "saying that this node is there", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO nodes (id, name, until, joined, events_per_sec, lag) VALUES ($1, $2, `+s.clock()+` + $3, $4, $5, $6)
			ON CONFLICT (id) DO UPDATE SET until = excluded.until, joined = excluded.joined, events_per_sec = excluded.events_per_sec, lag = excluded.lag`,
			n.String(), n.Name, nodeLasts.Milliseconds(), r.Joined, r.EventsPerSec, r.Lag); err != nil {
			return err
		}
		type row struct {
			id string
			NodeReport
		}
		rows, err := many(ctx, tx, func(o *row, scan func(...any) error) error {
			return scan(&o.id, &o.Name, &o.Joined, &o.EventsPerSec, &o.Lag)
		}, `SELECT id, name, joined, events_per_sec, lag FROM nodes WHERE id <> $1 AND until > `+s.clock()+` ORDER BY name`, n.String())
		others = nil
		for _, o := range rows {
			if !n.gone(o.id) {
				others = append(others, o.NodeReport)
			}
		}
		return err
	})
	return others, err
}

// DismissNode says that a node is there no more, and forgets those, and leases, that have been over for long.
func (s *Store) DismissNode(ctx context.Context, n Node) error {
	return s.change(ctx, "saying that this node is gone", func(tx *sql.Tx) error {
		for _, table := range []string{"nodes", "leases"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE until < `+s.clock()+` - $1`, time.Hour.Milliseconds()); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM nodes WHERE id = $1`, n.String())
		return err
	})
}
