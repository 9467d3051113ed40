package appliance

import (
	"context"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/audit"
	"github.com/millrace/millrace/serving/auth"
	"github.com/millrace/millrace/serving/httpapi"
	"github.com/millrace/millrace/serving/query"
)

// auditedDefiner lets administrators define, and writes what they do into the audit log. Its
// methods are written out, so that a new kind of definition does not compile before it is
// guarded too.
type auditedDefiner struct {
	definer query.Definer
	log     audit.Recorder
}

func (d auditedDefiner) act(ctx context.Context, kind, text string, run func(context.Context) error) error {
	// The route asks for the right to query, as its text may be a SELECT.
	if p := access.From(ctx); !p.May(access.Manage, "") {
		return auth.Forbidden(p, access.Manage, "")
	}
	return audit.Act(ctx, d.log, kind, text, func(ctx context.Context) (int64, error) { return 0, run(ctx) })
}

// CreateStream implements query.Definer.
func (d auditedDefiner) CreateStream(ctx context.Context, s *sql.CreateStream) error {
	return d.act(ctx, "define", s.String(), func(ctx context.Context) error { return d.definer.CreateStream(ctx, s) })
}

// CreateView implements query.Definer.
func (d auditedDefiner) CreateView(ctx context.Context, v *sql.CreateView) error {
	return d.act(ctx, "define", v.String(), func(ctx context.Context) error { return d.definer.CreateView(ctx, v) })
}

// DropStream implements query.Definer.
func (d auditedDefiner) DropStream(ctx context.Context, name string) error {
	return d.act(ctx, "drop", "DROP STREAM "+sql.QuoteName(name), func(ctx context.Context) error { return d.definer.DropStream(ctx, name) })
}

// DropView implements query.Definer.
func (d auditedDefiner) DropView(ctx context.Context, name string) error {
	return d.act(ctx, "drop", "DROP VIEW "+sql.QuoteName(name), func(ctx context.Context) error { return d.definer.DropView(ctx, name) })
}

// auditedExecutor writes the texts of POST /v1/sql into the audit log. A definition among
// them has its own entries besides.
type auditedExecutor struct {
	executor httpapi.Executor
	log      audit.Recorder
}

// Run implements httpapi.Executor.
func (x auditedExecutor) Run(ctx context.Context, text string, wait time.Duration) (answers []query.Answer, err error) {
	err = audit.Query(ctx, x.log, text, func(ctx context.Context) (int64, error) {
		answers, err = x.executor.Run(ctx, text, wait)
		var rows int64
		for _, a := range answers {
			if a.Batch != nil {
				rows += int64(a.Batch.Rows)
			}
		}
		return rows, err
	})
	return answers, err
}

// auditedOperator writes batch jobs that somebody asked for into the audit log. Those of
// the schedule are nobody's act.
type auditedOperator struct {
	httpapi.Operator
	log audit.Recorder
}

// RunBatch implements httpapi.Operator.
func (o auditedOperator) RunBatch(ctx context.Context, view string, rebuild bool) (result httpapi.BatchResult, err error) {
	kind := "batch"
	if rebuild {
		kind = "rebuild"
	}
	err = audit.Act(ctx, o.log, kind, view, func(ctx context.Context) (int64, error) {
		result, err = o.Operator.RunBatch(ctx, view, rebuild)
		return result.Rows, err
	})
	return result, err
}
