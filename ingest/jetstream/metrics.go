package jetstream

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/ingest/stream"
)

// metrics counts what is appended. A nil *metrics counts nothing.
type metrics struct {
	registerer prometheus.Registerer
	seconds    prometheus.Histogram
	bytes      prometheus.Counter
	entries    prometheus.Counter
	failures   *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	if r == nil {
		return nil, nil
	}
	m := &metrics{
		registerer: r,
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "millrace_stream_append_seconds",
			Help:    "Time from an append to its acknowledgement by the log.",
			Buckets: prometheus.ExponentialBuckets(100e-6, 2, 16), // 0.1 ms to 3.3 s
		}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_stream_append_bytes_total",
			Help: "Bytes of entries that the log acknowledged.",
		}),
		entries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_stream_append_entries_total",
			Help: "Entries that the log acknowledged.",
		}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_stream_append_failures_total",
			Help: "Appends that failed: busy (nothing was appended) or unknown.",
		}, []string{"kind"}),
	}
	for _, c := range m.collectors() {
		if err := r.Register(c); err != nil {
			m.unregister()
			return nil, fmt.Errorf("register metrics of the log: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.seconds, m.bytes, m.entries, m.failures}
}

// unregister makes room for the metrics of a backend opened later.
func (m *metrics) unregister() {
	if m == nil {
		return
	}
	for _, c := range m.collectors() {
		m.registerer.Unregister(c)
	}
}

func (m *metrics) appended(took time.Duration, size int, err error) {
	switch {
	case m == nil:
	case err == nil:
		m.seconds.Observe(took.Seconds())
		m.bytes.Add(float64(size))
		m.entries.Inc()
	case errors.Is(err, stream.ErrBusy):
		m.failures.WithLabelValues("busy").Inc()
	default:
		m.failures.WithLabelValues("unknown").Inc()
	}
}
