package appliance

import (
	"context"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/serving/audit"
	"github.com/millrace/millrace/serving/chhttp"
	"github.com/millrace/millrace/serving/httpapi"
)

// ClickHouse is the endpoint for clients of ClickHouse, which has a port of its own. It is
// called once.
func (a *Appliance) ClickHouse() http.Handler {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "millrace_clickhouse_endpoint_seconds", Help: "Time to answer a statement of the ClickHouse endpoint to its end.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
	}, []string{"ok"})
	a.metrics.registry.MustRegister(seconds)
	endpoint := chhttp.New(chhttp.Options{
		Executor: auditedExecutor{a.executor, a.guard.audit}, Log: a.o.Log,
		Identify: func(r *http.Request) (access.Principal, error) {
			r, err := a.guard.gate.Enter(r)
			if err != nil {
				return access.Principal{}, err
			}
			return access.From(r.Context()), nil
		},
		Done: func(ctx context.Context, o chhttp.Outcome) {
			if o.Refused {
				// What somebody tried belongs to the log; that it could not be written does not
				// make the refusal less of one.
				_ = a.guard.audit.Record(context.WithoutCancel(ctx), audit.Entry{Kind: "refused", Text: o.Text, Outcome: audit.OutcomeOf(o.Err)})
			}
			a.queried.observe(o.Duration)
			seconds.WithLabelValues(strconv.FormatBool(o.Err == nil)).Observe(o.Duration.Seconds())
		},
	})
	return httpapi.Recover(a.o.Log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		endpoint.ServeHTTP(w, r.WithContext(audit.WithAddress(r.Context(), audit.Host(r.RemoteAddr))))
	}))
}
