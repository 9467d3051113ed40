package report

import (
	"context"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/serving/report/ledger"
)

// ListAnswer is the answer of GET /v1/reports.
type ListAnswer struct {
	Reports []Summary `json:"reports"`
}

// Summary is one report of the list.
type Summary struct {
	ID       string     `json:"id" jsonschema:"never used for another report"`
	Name     string     `json:"name"`
	Created  time.Time  `json:"created"`
	SQL      string     `json:"sql" jsonschema:"the statement; paths of webhooks are hidden from those who may not manage"`
	Whole    bool       `json:"whole" jsonschema:"nothing is hidden in sql"`
	Schedule string     `json:"schedule"`
	TimeZone string     `json:"time_zone"`
	Format   string     `json:"format"`
	Chart    string     `json:"chart" jsonschema:"line, bar, table or empty"`
	Deliver  []string   `json:"deliver" jsonschema:"recipients; of webhooks the host only"`
	Missed   Policy     `json:"missed" jsonschema:"run_last, skip or run_all"`
	Title    string     `json:"title"`
	MaxBytes int64      `json:"max_bytes"`
	MaxRows  int64      `json:"max_rows"`
	Next     *time.Time `json:"next"`
	Last     *RunAnswer `json:"last"`
}

// RunsAnswer is the answer of GET /v1/reports/{report}/runs.
type RunsAnswer struct {
	Runs []RunAnswer `json:"runs"`
}

// RunAnswer is one run.
type RunAnswer struct {
	ID          string              `json:"id"`
	Tick        time.Time           `json:"tick" jsonschema:"of the schedule; of a run by hand when it was asked for"`
	ByHand      bool                `json:"by_hand"`
	State       ledger.State        `json:"state" jsonschema:"running, waiting (for its next attempt), delivered, failed or missed"`
	Started     *time.Time          `json:"started"`
	Finished    *time.Time          `json:"finished"`
	Attempts    int                 `json:"attempts" jsonschema:"how often a process took it up"`
	NextAttempt *time.Time          `json:"next_attempt"`
	Error       string              `json:"error,omitempty" jsonschema:"why there is no document"`
	Document    string              `json:"document,omitempty" jsonschema:"name of the kept document's file; empty: there is none"`
	ContentType string              `json:"content_type,omitempty"`
	Rows        int64               `json:"rows"`
	Bytes       int64               `json:"bytes"`
	Generations []ledger.Generation `json:"generations"`
	Deliveries  []ledger.Delivery   `json:"deliveries"`
	MissedTicks int                 `json:"missed_ticks,omitempty" jsonschema:"of a missed run: how many, up to tick"`
}

func answerOf(r ledger.Run) RunAnswer {
	a := RunAnswer{
		ID: r.ID, Tick: r.Tick, ByHand: r.ByHand, State: r.State, Started: r.Started, Finished: r.Finished, Attempts: r.Attempts,
		NextAttempt: r.NextAttempt, Error: r.Error, Rows: r.Rows, Bytes: r.Bytes, Generations: r.Generations, Deliveries: r.Deliveries, MissedTicks: r.MissedTicks,
	}
	if r.Document != nil {
		a.Document, a.ContentType = r.Document.Name, r.Document.ContentType
	}
	if a.Generations == nil {
		a.Generations = []ledger.Generation{}
	}
	if a.Deliveries == nil {
		a.Deliveries = []ledger.Delivery{}
	}
	return a
}

// Status is a report in the state of the whole server.
type Status struct {
	Name   string       `json:"name"`
	Next   *time.Time   `json:"next"`
	Last   *time.Time   `json:"last" jsonschema:"tick of the newest run"`
	State  ledger.State `json:"state,omitempty" jsonschema:"of the newest run"`
	Failed []string     `json:"failed,omitempty" jsonschema:"recipients that the newest run did not reach, and why"`
	Error  string       `json:"error,omitempty" jsonschema:"why the newest run has no document"`
}

// Status tells of every report.
func (s *Scheduler) Status(ctx context.Context) ([]Status, error) {
	list, err := s.list(ctx)
	if err != nil {
		return nil, err
	}
	out := []Status{}
	for _, r := range list {
		st := Status{Name: r.Name, Next: r.Next}
		if r.Last != nil {
			st.Last, st.State, st.Error = &r.Last.Tick, r.Last.State, r.Last.Error
			for _, v := range r.Last.Deliveries {
				if v.State == ledger.Failed {
					st.Failed = append(st.Failed, v.To+": "+v.Error)
				}
			}
		}
		out = append(out, st)
	}
	return out, nil
}

// list makes the list for a caller.
func (s *Scheduler) list(ctx context.Context) ([]Summary, error) {
	reports, err := s.o.Reports(ctx)
	if err != nil {
		return nil, err
	}
	whole := access.From(ctx).May(access.Manage, "")
	out := []Summary{}
	for _, d := range reports {
		r := Summary{
			ID: d.ID, Name: d.Name, Created: d.Created, SQL: Public(d.Statement), Whole: whole, Schedule: d.Schedule.Cron, TimeZone: d.Schedule.Zone.String(),
			Format: d.Format.Name, Chart: string(d.Chart), Deliver: d.Recipients(), Missed: d.Missed, Title: d.Title, MaxBytes: d.MaxBytes, MaxRows: d.MaxRows,
		}
		if whole {
			r.SQL = d.Statement.String()
		}
		if next := d.Schedule.Next(s.o.Now()); !next.IsZero() {
			r.Next = &next
		}
		runs, err := s.o.Ledger.Runs(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		if len(runs) > 0 {
			last := answerOf(runs[0].Run)
			r.Last = &last
		}
		out = append(out, r)
	}
	return out, nil
}

// find returns a report by name.
func (s *Scheduler) find(ctx context.Context, name string) (*Definition, error) {
	reports, err := s.o.Reports(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range reports {
		if d.Name == name {
			return d, nil
		}
	}
	return nil, ErrUnknown
}
