// Package catalog keeps the definitions of streams, views and reports in the lake's store.
//
// The one invariant: a definition is durable before anything of it runs, and its id is
// never used again, so that the leavings of a dropped stream or view are never mistaken
// for those of a new one of the same name.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
)

// Errors of the catalog's operations, for errors.Is.
var (
	ErrExists   = errors.New("already exists")
	ErrNotFound = errors.New("not found")
	ErrInUse    = errors.New("is in use")
	ErrCorrupt  = errors.New("catalog does not read back as it was written")
)

// Stream is a declared stream. It is immutable.
type Stream struct {
	ID      string // name.N, N from a counter that never goes back: keys, files, subjects
	SQL     string
	Plan    *plan.Stream
	Created time.Time
}

// View is a declared view. It is immutable.
type View struct {
	ID       string
	SQL      string
	StreamID string
	Plan     *plan.View
	Board    *plan.Board // what makes it a leaderboard; nil: it is a view and no more
	Created  time.Time
}

// Report is a declared report: its statement is what package serving/report makes of it.
// It is immutable.
type Report struct {
	ID        string
	SQL       string
	Statement *sql.CreateReport
	Created   time.Time
}

// Storage is where the catalog is kept: Put replaces an object in one atomic, durable
// step; Get says whether there is one.
type Storage interface {
	Put(ctx context.Context, name string, data []byte) error
	Get(ctx context.Context, name string) (data []byte, found bool, err error)
}

// Catalog is the set of definitions. It is safe for concurrent use; readers never block.
type Catalog struct {
	storage Storage
	now     func() time.Time

	change  sync.Mutex // held over each change, its writing included
	counter uint64     // newest number given to an id, even where writing it failed
	state   atomic.Pointer[state]
}

// Open reads the catalog from its storage; where there is none, it is empty.
func Open(ctx context.Context, storage Storage) (*Catalog, error) {
	c := &Catalog{storage: storage, now: time.Now}
	data, found, err := storage.Get(ctx, objectName)
	if err != nil {
		return nil, fmt.Errorf("open catalog: %w", err)
	}
	s := newState()
	if found {
		if s, err = decode(data); err != nil {
			return nil, fmt.Errorf("open catalog: %w", err)
		}
	}
	c.counter = s.counter
	c.state.Store(s)
	return c, nil
}

// CreateStream adds a stream. Streams and views share one set of names, as FROM takes
// either; where the name is taken the error is ErrExists, which IF NOT EXISTS forgives.
func (c *Catalog) CreateStream(ctx context.Context, s *sql.CreateStream) (*Stream, error) {
	c.change.Lock()
	defer c.change.Unlock()
	if err := c.state.Load().free(s.Name); err != nil {
		return nil, fmt.Errorf("create stream: %w", err)
	}
	p, err := plan.BuildStream(s)
	if err != nil {
		return nil, err
	}
	next := c.state.Load().clone()
	out := &Stream{ID: c.newID(s.Name), SQL: s.String(), Plan: p, Created: c.now().UTC()}
	next.streams[s.Name] = out
	if err := c.publish(ctx, next); err != nil {
		return nil, fmt.Errorf("create stream %q: %w", s.Name, err)
	}
	return out, nil
}

// CreateView adds a view over an existing stream.
func (c *Catalog) CreateView(ctx context.Context, v *sql.CreateView) (*View, error) {
	return c.createView(ctx, v, v.String(), func(s *plan.Stream) (*plan.View, *plan.Board, error) {
		p, err := plan.BuildView(v, s)
		return p, nil, err
	})
}

// CreateLeaderboard adds a leaderboard over an existing stream. It is a view, too.
func (c *Catalog) CreateLeaderboard(ctx context.Context, b *sql.CreateLeaderboard) (*View, error) {
	return c.createView(ctx, &b.CreateView, b.String(), func(s *plan.Stream) (*plan.View, *plan.Board, error) {
		return buildBoard(b, s)
	})
}

func buildBoard(b *sql.CreateLeaderboard, s *plan.Stream) (*plan.View, *plan.Board, error) {
	p, err := plan.BuildBoard(b, s)
	if err != nil {
		return nil, nil, err
	}
	return p.View, p, nil
}

func (c *Catalog) createView(ctx context.Context, v *sql.CreateView, text string, build func(*plan.Stream) (*plan.View, *plan.Board, error)) (*View, error) {
	c.change.Lock()
	defer c.change.Unlock()
	now := c.state.Load()
	if err := now.free(v.Name); err != nil {
		return nil, fmt.Errorf("create view: %w", err)
	}
	if v.Select.Sub != nil {
		return nil, &sql.Error{Pos: v.Select.Sub.Pos, Msg: "a view cannot select from a subquery", Hint: "select from one stream"}
	}
	stream, err := now.stream(v.Select.From)
	if err != nil {
		return nil, &sql.Error{Pos: v.Select.FromPos, Msg: err.Error(), Hint: "select from one stream"}
	}
	p, board, err := build(stream.Plan)
	if err != nil {
		return nil, err
	}
	next := now.clone()
	out := &View{ID: c.newID(v.Name), SQL: text, StreamID: stream.ID, Plan: p, Board: board, Created: c.now().UTC()}
	next.views[v.Name] = out
	if err := c.publish(ctx, next); err != nil {
		return nil, fmt.Errorf("create view %q: %w", v.Name, err)
	}
	return out, nil
}

// DropStream removes a stream that no view uses; ErrInUse names the views.
func (c *Catalog) DropStream(ctx context.Context, name string) (*Stream, error) {
	c.change.Lock()
	defer c.change.Unlock()
	now := c.state.Load()
	out, err := now.stream(name)
	if err != nil {
		return nil, fmt.Errorf("drop stream: %w", err)
	}
	if err := now.unused(out); err != nil {
		return nil, fmt.Errorf("drop stream: %w", err)
	}
	next := now.clone()
	delete(next.streams, name)
	if err := c.publish(ctx, next); err != nil {
		return nil, fmt.Errorf("drop stream %q: %w", name, err)
	}
	return out, nil
}

// DropView removes a view that is no leaderboard.
func (c *Catalog) DropView(ctx context.Context, name string) (*View, error) {
	return c.dropView(ctx, name, false)
}

// DropLeaderboard removes a leaderboard.
func (c *Catalog) DropLeaderboard(ctx context.Context, name string) (*View, error) {
	return c.dropView(ctx, name, true)
}

func (c *Catalog) dropView(ctx context.Context, name string, board bool) (*View, error) {
	c.change.Lock()
	defer c.change.Unlock()
	now := c.state.Load()
	find := now.view
	if board {
		find = now.leaderboard
	}
	out, err := find(name)
	if err == nil && !board && out.Board != nil {
		err = fmt.Errorf("view %q %w; it is a leaderboard: DROP LEADERBOARD drops it", name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("drop view: %w", err)
	}
	next := now.clone()
	delete(next.views, name)
	if err := c.publish(ctx, next); err != nil {
		return nil, fmt.Errorf("drop view %q: %w", name, err)
	}
	return out, nil
}

// CreateReport adds a report, which the caller has checked. It shares the set of names, as
// DESCRIBE, EXISTS and SHOW CREATE take any of them.
func (c *Catalog) CreateReport(ctx context.Context, r *sql.CreateReport) (*Report, error) {
	c.change.Lock()
	defer c.change.Unlock()
	now := c.state.Load()
	if err := now.free(r.Name); err != nil {
		return nil, fmt.Errorf("create report: %w", err)
	}
	next := now.clone()
	out := &Report{ID: c.newID(r.Name), SQL: r.String(), Statement: r, Created: c.now().UTC()}
	next.reports[r.Name] = out
	if err := c.publish(ctx, next); err != nil {
		return nil, fmt.Errorf("create report %q: %w", r.Name, err)
	}
	return out, nil
}

// DropReport removes a report.
func (c *Catalog) DropReport(ctx context.Context, name string) (*Report, error) {
	c.change.Lock()
	defer c.change.Unlock()
	now := c.state.Load()
	out, err := now.report(name)
	if err != nil {
		return nil, fmt.Errorf("drop report: %w", err)
	}
	next := now.clone()
	delete(next.reports, name)
	if err := c.publish(ctx, next); err != nil {
		return nil, fmt.Errorf("drop report %q: %w", name, err)
	}
	return out, nil
}

// newID gives an id that was never given before. The counter goes on even where the
// definition cannot be written: the storage may hold it all the same.
func (c *Catalog) newID(name string) string {
	c.counter++
	return fmt.Sprintf("%s.%d", name, c.counter)
}

// publish makes a state durable, then visible.
func (c *Catalog) publish(ctx context.Context, next *state) error {
	next.counter = c.counter
	next.version++
	data, err := next.encode()
	if err != nil {
		return err
	}
	if err := c.storage.Put(ctx, objectName, data); err != nil {
		return err
	}
	c.state.Store(next)
	return nil
}

// Stream finds a stream by name; ErrNotFound names the nearest.
func (c *Catalog) Stream(name string) (*Stream, error) { return c.state.Load().stream(name) }

// View finds a view by name; ErrNotFound names the nearest.
func (c *Catalog) View(name string) (*View, error) { return c.state.Load().view(name) }

// Streams returns all streams by name.
func (c *Catalog) Streams() []*Stream { return sorted(c.state.Load().streams) }

// Views returns all views by name, leaderboards among them.
func (c *Catalog) Views() []*View { return sorted(c.state.Load().views) }

// Leaderboard finds a leaderboard by name; ErrNotFound names the nearest.
func (c *Catalog) Leaderboard(name string) (*View, error) { return c.state.Load().leaderboard(name) }

// Leaderboards returns all leaderboards by name.
func (c *Catalog) Leaderboards() []*View { return sorted(c.state.Load().leaderboards()) }

// Report finds a report by name; ErrNotFound names the nearest.
func (c *Catalog) Report(name string) (*Report, error) { return c.state.Load().report(name) }

// Reports returns all reports by name.
func (c *Catalog) Reports() []*Report { return sorted(c.state.Load().reports) }

// Version counts the changes of the catalog since it was made.
func (c *Catalog) Version() uint64 { return c.state.Load().version }
