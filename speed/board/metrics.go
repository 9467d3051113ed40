package board

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the counters of all leaderboards of a process.
type Metrics struct {
	flushSeconds *prometheus.HistogramVec
	totals       *prometheus.CounterVec
	rebuilds     *prometheus.CounterVec
	failures     *prometheus.CounterVec
	arrival      *prometheus.GaugeVec
}

// NewMetrics registers the metrics of leaderboards; with a nil Registerer they are kept and
// nobody sees them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	board := []string{"leaderboard"}
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "millrace_board_" + name + "_total", Help: help}, board)
	}
	m := &Metrics{
		flushSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "millrace_board_flush_seconds", Help: "Time of one flush of a leaderboard to Redis.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14), // 0.5 ms to 4 s
		}, board),
		totals:   counter("totals", "Totals of members written to Redis."),
		rebuilds: counter("rebuilds", "Times that a leaderboard was built from the batch layer."),
		failures: counter("failures", "Failures of a leaderboard's worker; each is followed by another attempt."),
		arrival: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "millrace_board_arrival_seconds", Help: "Arrival time, seconds since 1970, of the newest entry in a leaderboard.",
		}, []string{"leaderboard", "partition"}),
	}
	if r != nil {
		r.MustRegister(m.flushSeconds, m.totals, m.rebuilds, m.failures, m.arrival)
	}
	return m
}

func (m *Metrics) flushed(id string, took time.Duration, totals int) {
	m.flushSeconds.WithLabelValues(id).Observe(took.Seconds())
	m.totals.WithLabelValues(id).Add(float64(totals))
}

func (m *Metrics) at(id string, partition int, arrival int64) {
	m.arrival.WithLabelValues(id, strconv.Itoa(partition)).Set(float64(arrival) / float64(time.Second))
}

// Forget drops the gauges of a leaderboard that is no more; its counters stay.
func (m *Metrics) Forget(id string) {
	m.arrival.DeletePartialMatch(prometheus.Labels{"leaderboard": id})
}
