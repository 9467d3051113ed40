// Package report runs reports: at the ticks of its schedule a report's query is answered,
// made into a document and delivered.
//
// The one invariant: a tick has one run, however many processes look after the schedule and
// however they end, and what was confirmed to be delivered is not sent again. The ledger
// (package ledger) decides which process does what; this package keeps no other state.
package report

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/serving/report/deliver"
	"github.com/millrace/millrace/serving/report/ledger"
)

// Courier delivers documents; *deliver.Courier is one.
type Courier interface {
	Deliver(ctx context.Context, t deliver.Target, m *deliver.Message) error
}

// Source lists the reports there are.
type Source func(ctx context.Context) ([]*Definition, error)

// ErrUnknown is returned for a report that is not there.
var ErrUnknown = errors.New("there is no such report")

// DefaultKeep is how many ended runs of a report are kept, with their documents.
const DefaultKeep = 50

// Backoff bounds the attempts of a delivery, and of making a document.
type Backoff struct {
	First    time.Duration // wait after the first failure; each later one is twice as long
	Longest  time.Duration
	Attempts int           // in all
	Within   time.Duration // of the first attempt
}

// DefaultBackoff outlasts a night's maintenance of a mail server.
var DefaultBackoff = Backoff{First: 30 * time.Second, Longest: time.Hour, Attempts: 12, Within: 12 * time.Hour}

// Options are the parts of a Scheduler.
type Options struct {
	Reports Source
	Queries Querier
	Ledger  *ledger.Ledger
	Courier Courier
	// PublicURL is the address of the server as recipients of mails reach it; empty: mails
	// have no link to unsubscribe.
	PublicURL string
	Keep      int     // DefaultKeep where 0
	Backoff   Backoff // DefaultBackoff where zero
	Now       func() time.Time
	Log       *slog.Logger
	Metrics   prometheus.Registerer // may be nil
}

func (o Options) withDefaults() Options {
	if o.Keep == 0 {
		o.Keep = DefaultKeep
	}
	if o.Backoff == (Backoff{}) {
		o.Backoff = DefaultBackoff
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

type metrics struct {
	runs       *prometheus.CounterVec
	deliveries *prometheus.CounterVec
	seconds    prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_report_runs_total", Help: "Runs of reports that ended, by state.",
		}, []string{"state"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_report_deliveries_total", Help: "Attempts to deliver a report, by kind and outcome: delivered, waiting (for another attempt) or failed.",
		}, []string{"kind", "state"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "millrace_report_document_seconds", Help: "Time to query and render a document.", Buckets: prometheus.ExponentialBuckets(0.01, 2, 14),
		}),
	}
	if r != nil {
		r.MustRegister(m.runs, m.deliveries, m.seconds)
	}
	return m
}
