package appender

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the appenders of all streams do.
type Metrics struct {
	entries       prometheus.Counter
	failures      prometheus.Counter
	entryBytes    prometheus.Counter
	entryRows     prometheus.Histogram
	appendSeconds prometheus.Histogram
}

// NewMetrics registers the metrics; with a nil registerer they are kept and not shown.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		entries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_ingest_entries_total", Help: "Entries appended to streams."}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_ingest_append_failures_total", Help: "Appends to streams that returned an error."}),
		entryBytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_ingest_entry_bytes_total", Help: "Bytes of the entries appended, encoded."}),
		entryRows: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "millrace_ingest_entry_rows", Help: "Rows of an entry: how well small requests share.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 10)}),
		appendSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "millrace_ingest_append_seconds", Help: "Time until an entry was durable.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 2, 16)}),
	}
	if r != nil {
		r.MustRegister(m.entries, m.failures, m.entryBytes, m.entryRows, m.appendSeconds)
	}
	return m
}

// Register shows the bytes in flight as a metric.
func (b *Budget) Register(r prometheus.Registerer) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "millrace_ingest_in_flight_bytes", Help: "Bytes of the requests being worked on.",
	}, func() float64 { return float64(b.Used()) }))
}
