package shell

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace/serving/client"
)

const (
	// namesAge is how old the known names may get: others define things too, and asking
	// is a matter of milliseconds.
	namesAge = 30 * time.Second
	// namesTimeout bounds one look at the server's names.
	namesTimeout = 10 * time.Second
	// namesPatience is how long completion waits for names that are being asked for: as
	// long as a keystroke may take without being felt as stuck.
	namesPatience = time.Second
	// describedTables is how many tables have their columns asked for, so that a server of
	// thousands is not kept busy by completion.
	describedTables = 200
)

// relation is a stream, view or leaderboard.
type relation struct {
	name, kind string
	columns    []column
}

type column struct{ name, typ, role string }

type function struct{ name, kind, usage string }

// names is what can be completed. It does not change once made.
type names struct {
	tables    []relation
	functions []function
}

// catalog knows the server's names, as of some seconds ago. It is safe for concurrent use.
type catalog struct {
	server Server

	mu      sync.Mutex
	known   names
	asked   time.Time     // when known was last asked for; zero: never, or it is out of date
	loading chan struct{} // closed when the look under way ends; nil: none is
	wg      sync.WaitGroup
	stop    context.CancelFunc
	ctx     context.Context
}

func newCatalog(ctx context.Context, s Server) *catalog {
	c := &catalog{server: s}
	c.ctx, c.stop = context.WithCancel(ctx)
	c.refresh()
	return c
}

// close ends what is under way.
func (c *catalog) close() {
	c.stop()
	c.wg.Wait()
}

// refresh asks for the names in the background.
func (c *catalog) refresh() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin()
}

func (c *catalog) begin() {
	if c.loading != nil || c.ctx.Err() != nil {
		return
	}
	done := make(chan struct{})
	c.loading, c.asked = done, time.Now()
	c.wg.Go(func() {
		ctx, cancel := context.WithTimeout(c.ctx, namesTimeout)
		defer cancel()
		known, err := load(ctx, c.server)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err == nil { // else the old names serve on
			c.known = known
		}
		c.loading = nil
		close(done)
	})
}

// names returns the known names. It waits a little where none are known yet or the last
// ones are being replaced.
func (c *catalog) names() names {
	c.mu.Lock()
	if time.Since(c.asked) > namesAge {
		c.begin()
	}
	loading := c.loading
	c.mu.Unlock()
	if loading != nil {
		timer := time.NewTimer(namesPatience)
		defer timer.Stop()
		select {
		case <-loading:
		case <-timer.C:
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known
}

// load asks the server for all names.
func load(ctx context.Context, s Server) (names, error) {
	var known names
	rows, err := texts(ctx, s, "SHOW TABLES", "name", "kind")
	if err != nil {
		return known, err
	}
	for i, row := range rows {
		t := relation{name: row[0], kind: row[1]}
		if i < describedTables {
			described, err := texts(ctx, s, "DESCRIBE "+quote(t.name), "name", "type", "comment")
			if err != nil && ctx.Err() != nil {
				return known, err
			}
			// One that was dropped meanwhile has no columns.
			for _, c := range described {
				t.columns = append(t.columns, column{c[0], c[1], c[2]})
			}
		}
		known.tables = append(known.tables, t)
	}
	functions, err := texts(ctx, s, "SHOW FUNCTIONS", "name", "kind", "usage")
	if err != nil {
		return known, err
	}
	for _, row := range functions {
		known.functions = append(known.functions, function{row[0], row[1], row[2]})
	}
	return known, nil
}

// texts runs a statement and returns up to three columns by name, as text; those that it
// does not have are empty.
func texts(ctx context.Context, s Server, statement string, columns ...string) ([][3]string, error) {
	rows, err := s.Rows(ctx, statement, client.SQLOptions{})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][3]string
	for rows.Next() {
		var row [3]string
		for i, raw := range rows.Raw() {
			if at := slices.Index(columns, rows.Columns()[i].Name); at >= 0 {
				row[at] = Text(raw).Text
			}
		}
		out = append(out, row)
	}
	return out, rows.Err()
}
