package fl

import (
	"context"
	"maps"
	"math"
	"sort"
	"time"

	"breakwater"
	"breakwater/internal/ml"
	"breakwater/internal/store"
)

// Span is how much of a facility's newest data, in data time, its clients learn from.
const Span = 24 * time.Hour

// local are the clients of this process: those that joined, and, for facilities that none of them stands for, the store's.
func (c *Coordinator) local(ctx context.Context) (map[string]Client, error) {
	c.mu.Lock()
	clients := maps.Clone(c.joined)
	c.mu.Unlock()
	if !c.Facilities {
		return clients, nil
	}
	known, err := c.Store.Trainable(ctx, Span, int64(c.Shape.Context.Span()+leastVectors))
	if err != nil {
		return nil, err
	}
	stands := map[string]bool{}
	for _, client := range clients {
		stands[client.FacilityID] = true
	}
	for _, id := range known {
		if _, taken := clients[id]; !taken && !stands[id] {
			clients[id] = Facility(c.Store, id)
		}
	}
	return clients, nil
}

// Facility is the client of a facility whose windows are in the store. It learns from the newest Span of them: from its
// alerts, too, what an attack looks like. What a round publishes becomes the facility's active autoencoder.
func Facility(s *store.Store, id string) Client {
	return Client{
		ID: id, FacilityID: id, Name: id,
		Data: func(ctx context.Context) (Data, error) { return stored(ctx, s, id) },
		Install: func(ctx context.Context, r Release) error {
			_, _, err := s.SaveModel(ctx, breakwater.ModelVersion{FacilityID: id, Kind: string(ml.Autoencoder), Source: breakwater.Federated,
				RoundID: &r.Round, Rows: int64(r.Rows), CreatedAt: time.Now().UTC()}, r.Model.Encode())
			return err
		},
	}
}

// stored reads a facility's data.
func stored(ctx context.Context, s *store.Store, facility string) (Data, error) {
	newest, err := s.NewestWindow(ctx, facility)
	if err != nil || newest.IsZero() {
		return Data{}, err
	}
	from, to := newest.Add(-Span), newest.Add(time.Second)
	windows, err := s.Recent(ctx, facility, from, to)
	if err != nil {
		return Data{}, err
	}
	doubted, err := s.Attacks(ctx, facility, from, to)
	if err != nil {
		return Data{}, err
	}
	attacked, err := s.AttackedAt(ctx, facility, from, to)
	if err != nil {
		return Data{}, err
	}
	return Marked(windows, doubted, attacked), nil
}

// Marked is data of windows in order of time, of spans in which nothing is learned and of moments of attacks.
func Marked(windows []breakwater.Window, doubted []breakwater.Span, attacked []time.Time) Data {
	data := Data{Rows: ml.Rows(windows)}
	if len(windows) == 0 || len(doubted) == 0 && len(attacked) == 0 {
		return data
	}
	rowOf := make([]int, 0, len(windows)) // where seconds are missing, rows of NaN were filled in
	for row, values := range data.Rows {
		if !math.IsNaN(values[0]) {
			rowOf = append(rowOf, row)
		}
	}
	data.Marks = make([]Mark, len(data.Rows))
	mark := func(from, to time.Time, as Mark) {
		first := sort.Search(len(windows), func(i int) bool { return windows[i].End().After(from) })
		for i := first; i < len(windows) && !windows[i].Time.After(to); i++ {
			data.Marks[rowOf[i]] = as
		}
	}
	for _, span := range doubted {
		mark(span.From, span.To, Doubted)
	}
	for _, t := range attacked {
		mark(t, t, Attack)
	}
	return data
}
