package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/millrace/millrace/cmd/millrace/reporting"
	"github.com/millrace/millrace/internal/config"
	"github.com/millrace/millrace/serving/client"
	"github.com/millrace/millrace/serving/report"
)

// reportsCommand shows, runs and fetches reports, or runs them by their schedules.
func reportsCommand(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "schedule" {
		return scheduleReports(ctx, args[1:])
	}
	fs := flags("reports")
	limit := fs.Int("limit", 0, "most runs; 0: the server's default")
	c, args, err := asking(fs, args, once, 0, 3)
	if err != nil {
		return err
	}
	what := "list"
	if len(args) > 0 {
		what, args = args[0], args[1:]
	}
	switch {
	case what == "list" && len(args) == 0:
		return listReports(ctx, c)
	case what == "runs" && len(args) == 1:
		runs, err := c.ReportRuns(ctx, args[0], *limit)
		if err != nil {
			return err
		}
		return printRuns(runs)
	case what == "run" && len(args) == 1:
		run, err := c.RunReport(ctx, args[0])
		if err != nil {
			return err
		}
		return printRuns([]client.ReportRun{*run})
	case what == "document" && len(args) == 2:
		document, err := c.ReportDocument(ctx, args[0], args[1])
		if err != nil {
			return err
		}
		defer document.Body.Close()
		_, err = io.Copy(os.Stdout, document.Body)
		return err
	}
	return errUsage
}

func listReports(ctx context.Context, c *client.Client) error {
	reports, err := c.Reports(ctx)
	if err != nil {
		return err
	}
	t := newTable("name", "schedule", "time zone", "format", "to", "next", "last", "state")
	for _, r := range reports {
		last, state := "", "never run"
		if r.Last != nil {
			last, state = shortTime(&r.Last.Tick), r.Last.State
		}
		t.add(r.Name, r.Schedule, r.TimeZone, r.Format, strings.Join(r.Deliver, ", "), shortTime(r.Next), last, state)
	}
	return t.print("")
}

func printRuns(runs []client.ReportRun) error {
	t := newTable("run", "state", ">rows", ">bytes", "started", "finished", "deliveries")
	for _, r := range runs {
		t.add(r.ID, r.State, fmt.Sprint(r.Rows), fmt.Sprint(r.Bytes), shortTime(r.Started), shortTime(r.Finished), outcome(r))
	}
	return t.print("")
}

// outcome says in a few words what came of a run.
func outcome(r client.ReportRun) string {
	switch {
	case r.MissedTicks > 1:
		return fmt.Sprintf("%d ticks up to this", r.MissedTicks)
	case r.Error != "":
		return r.Error
	}
	parts := make([]string, len(r.Deliveries))
	for i, v := range r.Deliveries {
		parts[i] = v.To + " " + v.State
		if v.Error != "" {
			parts[i] += " (" + v.Error + ")"
		}
	}
	return strings.Join(parts, ", ")
}

// shortTime is a time in UTC to the second, or nothing.
func shortTime(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.DateTime)
}

// scheduleReports runs the reports of a server at their times, beside other processes that
// do: the ledger of the configuration, which all share, says who runs what.
func scheduleReports(ctx context.Context, args []string) error {
	fs := flags("reports schedule")
	load := config.Flags(fs)
	server := serverFlags(fs, client.DefaultRetries)
	args, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(args) > 0 {
		return errUsage
	}
	cfg, err := load(os.Environ())
	if err != nil {
		return err
	}
	c, err := server()
	if err != nil {
		return err
	}
	runs, err := reporting.OpenLedger(cfg)
	if err != nil {
		return err
	}
	courier, err := reporting.NewCourier(cfg)
	if err != nil {
		return err
	}
	log := newLogger(cfg)
	s := report.Start(report.Options{
		Reports: report.Listed(c, log), Queries: report.There{Client: c}, Ledger: runs, Courier: courier,
		PublicURL: strings.TrimRight(cfg.PublicURL, "/"), Keep: int(cfg.ReportKeep), Log: log,
	})
	log.Info("reports are run by their schedules", "server", c.Address(), "ledger", cfg.LedgerDir())
	<-ctx.Done()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return errors.Join(s.Stop(stopping), courier.Close())
}
