package appliance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/millrace/millrace/cmd/millrace/reporting"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/query"
	"github.com/millrace/millrace/serving/report"
	"github.com/millrace/millrace/serving/report/deliver"
	"github.com/millrace/millrace/serving/report/ledger"
	"github.com/millrace/millrace/serving/report/render"
)

// reporter is what runs reports.
type reporter struct {
	ledger    *ledger.Ledger
	courier   *deliver.Courier
	scheduler *report.Scheduler
}

// startReports opens the ledger of reports and starts to run them, unless that is another
// process's work.
func (a *Appliance) startReports() error {
	runs, err := reporting.OpenLedger(a.o.Config)
	if err != nil {
		return err
	}
	courier, err := reporting.NewCourier(a.o.Config)
	if err != nil {
		return err
	}
	start := report.Start
	if !a.o.Config.ReportScheduler {
		start = report.New
	}
	a.reports = &reporter{ledger: runs, courier: courier, scheduler: start(report.Options{
		Reports: report.Declared(a.catalog, a.o.Log), Queries: report.Here{Executor: a.executor}, Ledger: runs, Courier: courier,
		PublicURL: strings.TrimRight(a.o.Config.PublicURL, "/"), Keep: int(a.o.Config.ReportKeep), Log: a.o.Log, Metrics: a.metrics.registry,
	})}
	return nil
}

func (r *reporter) stop(ctx context.Context) error {
	if err := r.scheduler.Stop(ctx); err != nil {
		return err
	}
	return r.courier.Close()
}

// CreateReport declares a report once all of it is known to be right: its schedule, its
// query, which is asked for its columns as the caller, and its recipients.
func (a *Appliance) CreateReport(ctx context.Context, s *sql.CreateReport) error {
	if _, err := a.catalog.Report(s.Name); err == nil {
		return fmt.Errorf("create report: report %q %w", s.Name, catalog.ErrExists)
	}
	d, err := report.Compile(s)
	if err != nil {
		return err
	}
	if err := d.CheckTargets(a.reports.courier); err != nil {
		return err
	}
	columns, err := a.columns(ctx, d.DryRun())
	if err != nil {
		return atQuery(err, s)
	}
	if err := d.CheckColumns(columns); err != nil {
		return err
	}
	a.define.Lock()
	defer a.define.Unlock()
	if _, err := a.catalog.CreateReport(ctx, s); err != nil {
		return err
	}
	a.reports.scheduler.Kick()
	a.o.Log.Info("report created", "report", s.Name)
	return nil
}

// atQuery gives a refusal by the engine, which names no place, that of the query.
func atQuery(err error, s *sql.CreateReport) error {
	var p *problem.Problem
	if !errors.As(err, &p) || p.Status != http.StatusBadRequest || p.Line != 0 {
		return err
	}
	placed := *p
	placed.Line, placed.Column, placed.Offset = s.QueryPos.Line, s.QueryPos.Column, &s.QueryPos.Offset
	return &placed
}

// columns asks for the columns of a query.
func (a *Appliance) columns(ctx context.Context, text string) ([]render.Column, error) {
	answer, err := a.executor.Stream(ctx, query.Request{Text: text, Format: render.TableFormat, Settings: render.TableSettings()})
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	table, err := render.ReadTable(answer.Body, 1)
	return table.Columns, err
}

// DropReport ends a report and removes its runs.
func (a *Appliance) DropReport(ctx context.Context, name string) error {
	a.define.Lock()
	defer a.define.Unlock()
	r, err := a.catalog.DropReport(ctx, name)
	if err != nil {
		return err
	}
	a.reports.scheduler.Forget(r.ID)
	return a.reports.ledger.Drop(ctx, r.ID)
}
