package app

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics serves what this process alone counts, for Prometheus to collect of each node: what comes in, what waits, and what
// the Go runtime and the operating system know of it.
func (a *App) metrics() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "breakwater_events_total",
			Help: "Events that this node has taken in since it started."}, func() float64 { return float64(a.Server.Load().Events) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "breakwater_ingest_pending_batches",
			Help: "Batches that have come to this node and are not durable yet."}, func() float64 { return float64(a.Server.Load().Pending) }),
	)
	if a.exchange != nil {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "breakwater_kafka_lag_records",
			Help: "Records of Kafka's topics that the nodes' consumer group has not taken, when this node last could ask."}, func() float64 { return float64(a.exchange.behind.Load()) }))
	}
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}
