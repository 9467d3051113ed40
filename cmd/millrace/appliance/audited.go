package appliance

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/audit"
	"github.com/millrace/millrace/serving/httpapi"
	"github.com/millrace/millrace/serving/query"
	"github.com/millrace/millrace/serving/report"
)

// auditedDefiner writes definitions into the audit log; that their author may manage is the
// executor's to see. Its methods are written out, so that a new kind of definition does not
// compile before it is audited too.
type auditedDefiner struct {
	definer query.Definer
	log     audit.Recorder
}

func (d auditedDefiner) act(ctx context.Context, kind, text string, run func(context.Context) error) error {
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

// CreateLeaderboard implements query.Definer.
func (d auditedDefiner) CreateLeaderboard(ctx context.Context, b *sql.CreateLeaderboard) error {
	return d.act(ctx, "define", b.String(), func(ctx context.Context) error { return d.definer.CreateLeaderboard(ctx, b) })
}

// CreateReport implements query.Definer.
func (d auditedDefiner) CreateReport(ctx context.Context, r *sql.CreateReport) error {
	return d.act(ctx, "define", report.Public(r), func(ctx context.Context) error { return d.definer.CreateReport(ctx, r) })
}

// DropStream implements query.Definer.
func (d auditedDefiner) DropStream(ctx context.Context, name string) error {
	return d.act(ctx, "drop", "DROP STREAM "+sql.QuoteName(name), func(ctx context.Context) error { return d.definer.DropStream(ctx, name) })
}

// DropView implements query.Definer.
func (d auditedDefiner) DropView(ctx context.Context, name string) error {
	return d.act(ctx, "drop", "DROP VIEW "+sql.QuoteName(name), func(ctx context.Context) error { return d.definer.DropView(ctx, name) })
}

// DropLeaderboard implements query.Definer.
func (d auditedDefiner) DropLeaderboard(ctx context.Context, name string) error {
	return d.act(ctx, "drop", "DROP LEADERBOARD "+sql.QuoteName(name), func(ctx context.Context) error { return d.definer.DropLeaderboard(ctx, name) })
}

// DropReport implements query.Definer.
func (d auditedDefiner) DropReport(ctx context.Context, name string) error {
	return d.act(ctx, "drop", "DROP REPORT "+sql.QuoteName(name), func(ctx context.Context) error { return d.definer.DropReport(ctx, name) })
}

// auditedExecutor writes every SQL text into the audit log, once its answer has ended. A
// definition among the statements has its own entries besides.
type auditedExecutor struct {
	executor *query.Executor
	log      audit.Recorder
}

// Run implements httpapi.Executor.
func (x auditedExecutor) Run(ctx context.Context, r query.Request) (*query.Response, error) {
	return x.audited(ctx, r, x.executor.Run)
}

// Stream implements chhttp.Executor.
func (x auditedExecutor) Stream(ctx context.Context, r query.Request) (*query.Response, error) {
	return x.audited(ctx, r, x.executor.Stream)
}

func (x auditedExecutor) audited(ctx context.Context, r query.Request, run func(context.Context, query.Request) (*query.Response, error)) (*query.Response, error) {
	ended := audit.Query(ctx, x.log, report.PublicText(r.Text))
	response, err := run(ctx, r)
	if err != nil {
		ended(0, err)
		return nil, err
	}
	response.Body = &auditedBody{ReadCloser: response.Body, rows: response.Rows, ended: ended}
	return response, nil
}

// auditedBody ends the entry of a query when its answer is closed.
type auditedBody struct {
	io.ReadCloser
	rows  func() int64
	ended func(rows int64, err error)
	err   error
	once  sync.Once
}

// Read implements io.Reader.
func (b *auditedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// Close implements io.Closer.
func (b *auditedBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(func() {
		b.ended(b.rows(), errors.Join(b.err, err))
	})
	return err
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
