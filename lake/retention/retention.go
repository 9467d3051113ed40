// Package retention deletes what the lake has kept for long enough.
//
// The one invariant: only whole sealed files go, first from the seals and then, once
// nobody can be reading them, from the store; what is not sealed, and the seal at which a
// writer goes on, always stays.
package retention

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/seal"
)

// DefaultGrace is how long files outlive their seals: longer than any query may run.
// Readers that take longer hold a seal.Pin.
const DefaultGrace = 15 * time.Minute

// Config says whose events grow old.
type Config struct {
	Stream  string // stream id
	Store   objstore.Store
	Index   *seal.Index
	Grace   time.Duration         // 0: DefaultGrace
	Metrics prometheus.Registerer // nil: not counted
}

// Retention deletes the old events of one stream. It is used by one goroutine, which must
// not run compaction of the stream at the same time.
type Retention struct {
	c    Config
	now  func() time.Time
	rows prometheus.Counter
	gone map[string]time.Time // removal: when its seals had left the index in this process
}

// New returns a retention. Its metric has the stream's id as a label.
func New(c Config) (*Retention, error) {
	if c.Grace == 0 {
		c.Grace = DefaultGrace
	}
	r := &Retention{c: c, now: time.Now, gone: make(map[string]time.Time), rows: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "millrace_lake_expired_rows_total", Help: "Rows whose lake TTL was over.",
		ConstLabels: prometheus.Labels{"stream": c.Stream},
	})}
	if c.Metrics != nil {
		if err := c.Metrics.Register(r.rows); err != nil {
			return nil, fmt.Errorf("retention of %s: %w", c.Stream, err)
		}
	}
	return r, nil
}

// removal is the durable note of files to delete: without it, a crash after the seals
// have gone would leave files that nothing names.
type removal struct {
	Seals   []seal.Seal `json:"seals"`
	Removed time.Time   `json:"removed"`
}

func (r *Retention) root() string { return "lake/" + r.c.Stream + "/removals/" }

// Run removes the events that arrived before a time and, of those removed by earlier
// runs, deletes the files whose grace is over. A seal goes only when its newest entry is
// older. Run again after a failure goes on where it stopped.
func (r *Retention) Run(ctx context.Context, before time.Time) error {
	// The notes of earlier runs come first, so that no seal is in two notes.
	list, err := r.c.Store.List(ctx, r.root())
	if err != nil {
		return fmt.Errorf("retention of %s: %w", r.c.Stream, err)
	}
	for _, o := range list {
		if err := r.remove(ctx, o.Name); err != nil {
			return fmt.Errorf("retention of %s: %w", r.c.Stream, err)
		}
	}
	name, err := r.note(ctx, before)
	if err == nil && name != "" {
		err = r.remove(ctx, name)
	}
	if err != nil {
		return fmt.Errorf("retention of %s: %w", r.c.Stream, err)
	}
	return nil
}

// note writes down what is to go, if anything, and returns the note's name.
func (r *Retention) note(ctx context.Context, before time.Time) (string, error) {
	m := removal{Removed: r.now().UTC()}
	for p := range r.c.Index.Partitions() {
		seals := r.c.Index.Seals(p)
		for i := range seals {
			if i == len(seals)-1 || seals[i].Arrival >= before.UnixNano() {
				break
			}
			m.Seals = append(m.Seals, seals[i])
		}
	}
	if len(m.Seals) == 0 {
		return "", nil
	}
	data, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("%s%019d.json", r.root(), m.Removed.UnixNano())
	return name, r.c.Store.Put(ctx, name, data)
}

func (r *Retention) remove(ctx context.Context, name string) error {
	data, err := objstore.Get(ctx, r.c.Store, name)
	if err != nil {
		return err
	}
	var m removal
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("removal %s is broken: %w", name, err)
	}
	if err := r.c.Index.Remove(ctx, m.Seals); err != nil {
		return err
	}
	if _, ok := r.gone[name]; !ok {
		r.gone[name] = r.now() // who pins from here on does not see the seals
	}
	if r.now().Before(m.Removed.Add(r.c.Grace)) || r.c.Index.PinnedBefore(r.gone[name]) {
		return nil // later
	}
	for _, s := range m.Seals {
		for _, f := range s.Files {
			if err := r.c.Store.Delete(ctx, f.Name); err != nil {
				return err
			}
		}
	}
	if err := r.c.Store.Delete(ctx, name); err != nil {
		return err
	}
	delete(r.gone, name)
	for _, s := range m.Seals {
		r.rows.Add(float64(s.Rows))
	}
	return nil
}
