package report

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/client"
)

// declaration is a report as it is kept.
type declaration struct {
	id      string
	created time.Time
	sql     string
}

// compiler makes definitions of declarations, each once.
type compiler struct {
	log *slog.Logger

	mu   sync.Mutex
	done map[string]*Definition // by id; nil: it is no report to this program, which was logged
}

func (c *compiler) compile(declared []declaration) []*Definition {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := make(map[string]*Definition, len(declared))
	var out []*Definition
	for _, r := range declared {
		d, ok := c.done[r.id]
		if !ok {
			var err error
			if d, err = parse(r); err != nil {
				c.log.Error("a report is left out", "report", r.id, "error", err)
				d = nil
			}
		}
		if next[r.id] = d; d != nil {
			out = append(out, d)
		}
	}
	c.done = next
	return out
}

func parse(r declaration) (*Definition, error) {
	statements, err := sql.Parse(r.sql)
	if err != nil {
		return nil, err
	}
	s, ok := statements[0].(*sql.CreateReport)
	if !ok || len(statements) != 1 {
		return nil, fmt.Errorf("%s is not one CREATE REPORT", r.id)
	}
	d, err := Compile(s)
	if err != nil {
		return nil, err
	}
	d.ID, d.Created = r.id, r.created
	return d, nil
}

// Catalog keeps declared reports.
type Catalog interface {
	Reports() []*catalog.Report
}

// Declared lists the reports of a catalog of this process.
func Declared(c Catalog, log *slog.Logger) Source {
	to := &compiler{log: log}
	return func(context.Context) ([]*Definition, error) {
		var declared []declaration
		for _, r := range c.Reports() {
			declared = append(declared, declaration{r.ID, r.Created, r.SQL})
		}
		return to.compile(declared), nil
	}
}

// Listed lists the reports of a server. The client's token must be an administrator's: to
// others the server does not tell where webhooks are.
func Listed(c *client.Client, log *slog.Logger) Source {
	to := &compiler{log: log}
	return func(ctx context.Context) ([]*Definition, error) {
		reports, err := c.Reports(ctx)
		if err != nil {
			return nil, err
		}
		var declared []declaration
		for _, r := range reports {
			if !r.Whole {
				return nil, fmt.Errorf("list reports: the server hides the recipients of %s from this token; use one of the role admin", r.Name)
			}
			declared = append(declared, declaration{r.ID, r.Created, r.SQL})
		}
		return to.compile(declared), nil
	}
}
