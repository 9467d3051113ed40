package httpapi

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what comes in. The label stream is empty for names that do not exist.
type Metrics struct {
	requests *prometheus.CounterVec
	events   *prometheus.CounterVec
	rejected *prometheus.CounterVec
	bytes    *prometheus.CounterVec
}

// NewMetrics registers the metrics; with a nil registerer they are kept and not shown.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		requests: counter("millrace_ingest_requests_total", "Ingest requests by stream and HTTP status.", "stream", "code"),
		events:   counter("millrace_ingest_events_total", "Events acknowledged.", "stream"),
		rejected: counter("millrace_ingest_rejected_total", "Rows that went to the dead letters.", "stream"),
		bytes:    counter("millrace_ingest_bytes_total", "Bytes of request bodies, decompressed.", "stream"),
	}
	if r != nil {
		r.MustRegister(m.requests, m.events, m.rejected, m.bytes)
	}
	return m
}
