package worker

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the counters of all workers of a process.
type Metrics struct {
	rows         *prometheus.CounterVec
	flushSeconds *prometheus.HistogramVec
	flushFields  *prometheus.CounterVec
	rebuilds     *prometheus.CounterVec
	failures     *prometheus.CounterVec
	stalled      *prometheus.GaugeVec
	lag          *prometheus.GaugeVec
}

// NewMetrics registers the metrics of the speed layer; with a nil Registerer they are
// kept and nobody sees them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	view := []string{"view"}
	m := &Metrics{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_speed_rows_total", Help: "Events aggregated by the speed layer.",
		}, view),
		flushSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "millrace_speed_flush_seconds", Help: "Time of one flush of partials to Redis.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14), // 0.5 ms to 4 s
		}, view),
		flushFields: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_speed_flush_fields_total", Help: "Partials written to Redis.",
		}, view),
		rebuilds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_speed_rebuilds_total", Help: "Times that a view's state was begun anew at the cut.",
		}, view),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_speed_failures_total", Help: "Failed attempts to start or flush a view; each is repeated.",
		}, view),
		stalled: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "millrace_speed_stalled_views", Help: "1 where a view's aggregation failed and it stands still.",
		}, []string{"view", "partition"}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "millrace_speed_lag_seconds", Help: "Age of the oldest event read but not visible in Redis.",
		}, []string{"view", "partition"}),
	}
	if r != nil {
		r.MustRegister(m.rows, m.flushSeconds, m.flushFields, m.rebuilds, m.failures, m.stalled, m.lag)
	}
	return m
}

// viewMetrics are the metrics of one view in one partition, looked up once.
type viewMetrics struct {
	rows, flushFields, rebuilds, failures prometheus.Counter
	flushSeconds                          prometheus.Observer
	stalled, lag                          prometheus.Gauge
}

func (m *Metrics) of(view string, partition int) viewMetrics {
	p := strconv.Itoa(partition)
	return viewMetrics{
		rows:         m.rows.WithLabelValues(view),
		flushFields:  m.flushFields.WithLabelValues(view),
		rebuilds:     m.rebuilds.WithLabelValues(view),
		failures:     m.failures.WithLabelValues(view),
		flushSeconds: m.flushSeconds.WithLabelValues(view),
		stalled:      m.stalled.WithLabelValues(view, p),
		lag:          m.lag.WithLabelValues(view, p),
	}
}

// forget drops the gauges of a view that no longer runs in a partition; its counters stay.
func (m *Metrics) forget(view string, partition int) {
	p := strconv.Itoa(partition)
	m.stalled.DeleteLabelValues(view, p)
	m.lag.DeleteLabelValues(view, p)
}
