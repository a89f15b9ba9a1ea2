package app

// What an exchange tells others of what is published here, and shows of what others tell.

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/api"
	"breakwater/internal/kafka"
	"breakwater/internal/store"
)

// lastWordsTake is how long a server that ends tries to tell what changed last.
const lastWordsTake = 3 * time.Second

// also is a live.Hub's Also: what this process tells its pages, others are told too. It is kept until Kafka has it. What is
// lost where the process is killed between the change and this line is told with the next change of the thing, or when the
// batch that brought it comes again.
func (x *exchange) also(kind string, about any) {
	n := store.News{Type: kind, Node: x.node, Changed: time.Now()}
	switch v := about.(type) {
	case *breakwater.Alert:
		n.Topic, n.ID = kafka.Alerts, v.ID.String()
	case *breakwater.Prediction:
		n.Topic, n.ID = kafka.Predictions, v.ID.String()
	case *breakwater.Round:
		n.Topic, n.ID = kafka.FLEvents, "round "+strconv.FormatInt(v.ID, 10)
	case *breakwater.FLClient:
		n.Topic, n.ID = kafka.FLEvents, "client "+v.ID
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	x.mu.Lock()
	waits := len(x.unkept) > 0 // a change does not wait for a database that has just not answered
	x.mu.Unlock()
	if waits || x.store.PutNews(ctx, n) != nil {
		x.mu.Lock()
		x.unkept = append(x.unkept, n)
		x.mu.Unlock()
	}
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// lastWords tells what the requests of a server that ends have still changed: its outbox is not looked at by others for a while.
func (x *exchange) lastWords(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWordsTake)
	defer cancel()
	for more := true; more; {
		var err error
		if more, err = x.tellSome(ctx); err != nil {
			x.log.Warn("what changed last is told over Kafka by another server, or by this one when it is started again", "err", err)
			return
		}
	}
}

// tell tells others what is in the outbox until ctx ends.
func (x *exchange) tell(ctx context.Context) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	away := false
	for {
		more, err := x.tellSome(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !away:
			away = true
			x.log.Warn("what changed is not told over Kafka yet: it waits in the database", "err", err)
		case err == nil && away:
			away = false
			x.log.Info("what changed is told over Kafka again")
		}
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-x.wake:
		}
	}
}

// tellSome tells what is oldest. What will never be told does not keep the rest back.
func (x *exchange) tellSome(ctx context.Context) (more bool, err error) {
	x.mu.Lock()
	unkept := slices.Clone(x.unkept)
	x.mu.Unlock()
	if len(unkept) > 0 {
		if err := x.store.PutNews(ctx, unkept...); err != nil {
			return false, err
		}
		x.mu.Lock()
		x.unkept = x.unkept[len(unkept):]
		x.mu.Unlock()
	}
	news, err := x.store.News(ctx, x.node, time.Now().Add(-abandonedAfter), tellAtOnce)
	if err != nil || len(news) == 0 {
		return false, err
	}
	var records []kafka.Record
	var of []store.News // the records' news
	var told []store.News
	never := func(n store.News, why error) {
		x.log.Error("what changed cannot be told over Kafka and is passed over", "topic", n.Topic, "id", n.ID, "err", why)
		told = append(told, n)
	}
	for _, n := range news {
		r, err := x.record(ctx, &n)
		switch kind := breakwater.KindOf(err); {
		case err == nil:
			records, of = append(records, r), append(of, n)
		case kind == breakwater.NotFound: // it was removed meanwhile
			told = append(told, n)
		case kind == breakwater.Invalid:
			never(n, err)
		default:
			return false, err
		}
	}
	var failed error
	for i, err := range x.cluster.PutEach(ctx, records...) {
		switch {
		case err == nil:
			told = append(told, of[i])
		case breakwater.KindOf(err) == breakwater.TooLarge:
			never(of[i], err)
		default:
			failed = err
		}
	}
	err = cmp.Or(failed, x.store.Told(ctx, told))
	return err == nil && len(news) == tellAtOnce, err
}

// record is how a thing stands now.
func (x *exchange) record(ctx context.Context, n *store.News) (r kafka.Record, err error) {
	kind, name, _ := strings.Cut(n.ID, " ")
	key, schema := "federation", kind // a round is of no facility
	var value any
	switch {
	case n.Topic == kafka.Alerts || n.Topic == kafka.Predictions:
		id, err := breakwater.ParseID(n.ID)
		if err != nil {
			return r, err
		}
		if n.Topic == kafka.Alerts {
			a, err := x.store.Alert(ctx, id)
			if err != nil {
				return r, err
			}
			key, schema, value = a.FacilityID, "alert", a
		} else {
			p, err := x.store.Prediction(ctx, id)
			if err != nil {
				return r, err
			}
			key, schema, value = p.FacilityID, "prediction", p
		}
	case kind == "round":
		id, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return r, err
		}
		if value, err = x.store.Round(ctx, id); err != nil {
			return r, err
		}
	default:
		c, err := x.store.Client(ctx, name)
		if err != nil {
			return r, err
		}
		key, value = c.FacilityID, c
	}
	text, err := json.Marshal(value)
	return kafka.Record{Topic: n.Topic, Key: key, Value: text,
		Headers: map[string]string{kafka.HeaderSchema: schema + "/1", kafka.HeaderType: n.Type, kafka.HeaderNode: n.Node}}, err
}

// show tells this node's pages of what others say: other nodes, and, where that is not kept, other systems.
func (x *exchange) show(r kafka.Record) {
	var about any
	kind := r.Headers[kafka.HeaderType]
	var err error
	switch node := r.Headers[kafka.HeaderNode]; {
	case node == x.node || node == "" && x.keep: // the node that keeps it tells of it
		return
	case node != "":
		about = json.RawMessage(r.Value)
		if !json.Valid(r.Value) {
			err = errors.New("its value is no JSON")
		}
	default:
		kind, about, err = x.asMessage(&r)
	}
	if err == nil && about != nil {
		err = x.hub.Relay(kind, about)
	}
	if err != nil {
		x.log.Warn("what another system says on Kafka is not shown", "topic", r.Topic, "key", r.Key, "err", err)
	}
}

// asMessage is what another system says, in the words of a live message; about is nil where there is nothing to show of it.
func (x *exchange) asMessage(r *kafka.Record) (kind string, about any, err error) {
	switch r.Topic {
	case kafka.Alerts:
		about, err = api.ForeignAlert(r.Value)
		return "alert_created", about, err
	case kafka.Predictions:
		about, err = api.ForeignPrediction(r.Value)
		return "prediction_created", about, err
	}
	what, id, body, err := federationEvent(r)
	if err != nil {
		return "", nil, err
	}
	if what == "client" {
		about, err = api.ForeignClient(id, body)
		return "fl_client", about, err
	}
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return "", nil, &breakwater.Error{Kind: breakwater.Invalid, Message: "a round's id is a number"}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	var round *breakwater.Round
	switch {
	case what != "end":
		round, err = api.ForeignRound(number, body)
	case x.shown == nil || x.shown.ID != number:
		return "", nil, nil // its beginning was not shown
	default:
		round, err = api.ForeignEnd(*x.shown, body)
	}
	if err != nil {
		return "", nil, err
	}
	x.shown = round
	return "fl_progress", round, nil
}
