package writer

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the writers of a process write.
type Metrics struct {
	rows, bytes, files, seals, retries prometheus.Counter
	fileSeconds                        prometheus.Histogram
}

// NewMetrics makes the counters and registers them; a nil registerer leaves them unseen.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &Metrics{
		rows:    counter("millrace_lake_rows_total", "Rows written to lake files."),
		bytes:   counter("millrace_lake_bytes_total", "Bytes of lake files written."),
		files:   counter("millrace_lake_files_total", "Lake files written."),
		seals:   counter("millrace_lake_seals_total", "Epochs of partitions sealed."),
		retries: counter("millrace_lake_retries_total", "Times a lake writer failed and started again from its last seal."),
		fileSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "millrace_lake_file_close_seconds", Help: "Time to finish, sync and publish a lake file.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
	}
	if r != nil {
		r.MustRegister(m.rows, m.bytes, m.files, m.seals, m.retries, m.fileSeconds)
	}
	return m
}
