package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxStatementBytes bounds the text of one statement, for the engine's parser and for
// the child's memory. 16 MiB hold an IN list of about a million keys.
const maxStatementBytes = 16 << 20

// pool hands out sessions of the engine, each to one request at a time. A session that a
// request has changed is closed rather than returned, and one that has settings goes to a
// request of the same settings only, so no request sees another's settings or temporary
// tables.
type pool struct {
	lib   *library
	args  []string
	setup string
	stuck time.Duration // how long a cancelled statement may go on

	slots chan struct{} // one token for each session that may be open

	mu     sync.Mutex
	idle   []*connection
	serial atomic.Uint64

	control   chan *connection // the session that kills statements of the others
	keepAlive *connection      // never used and never closed before the pool: the engine ends with its last session
}

func newPool(lib *library, opts ServeOptions) (*pool, error) {
	p := &pool{
		lib:     lib,
		args:    []string{"--path=" + opts.DataDir},
		stuck:   opts.StuckAfter,
		slots:   make(chan struct{}, opts.MaxConcurrent),
		control: make(chan *connection, 1),
	}
	p.setup = fmt.Sprintf("SET max_query_size = %d", maxStatementBytes)
	if opts.MaxMemoryBytes > 0 {
		p.setup += fmt.Sprintf(", max_memory_usage = %d", opts.MaxMemoryBytes)
	}
	var err error
	if p.keepAlive, err = p.open(); err != nil {
		return nil, err
	}
	control, err := p.open()
	if err != nil {
		p.keepAlive.close()
		return nil, err
	}
	p.control <- control
	return p, nil
}

// open opens a session that system.processes shows under its own log_comment.
func (p *pool) open() (*connection, error) {
	c, err := p.lib.open(p.args...)
	if err != nil {
		return nil, err
	}
	c.name = fmt.Sprintf("millrace-session-%d", p.serial.Add(1))
	if err := c.exec(p.setup + ", log_comment = '" + c.name + "'"); err != nil {
		c.close()
		return nil, fmt.Errorf("set up engine session: %w", err)
	}
	return c, nil
}

// get waits for a free session, and returns one that has the settings of a SET statement
// or none yet.
func (p *pool) get(ctx context.Context, settings string) (*connection, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, newException(codeTooManyQueries, "Too many simultaneous queries: gave up waiting for a session: %v. (TOO_MANY_SIMULTANEOUS_QUERIES)", context.Cause(ctx))
	}
	if c := p.takeIdle(settings); c != nil {
		return c, nil
	}
	c, err := p.open()
	if err != nil {
		<-p.slots
		return nil, err
	}
	return c, nil
}

// takeIdle takes the newest idle session that has the settings, else one that has none;
// nil where there is neither.
func (p *pool) takeIdle(settings string) *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, want := range []string{settings, ""} {
		for i, c := range slices.Backward(p.idle) {
			if c.applied == want {
				p.idle = slices.Delete(p.idle, i, i+1)
				return c
			}
		}
	}
	return nil
}

// put gives a session back. Of idle ones there are no more than may be open: the oldest
// goes.
func (p *pool) put(c *connection, changed bool) {
	if !changed {
		p.mu.Lock()
		p.idle = append(p.idle, c)
		c = nil
		if len(p.idle) > cap(p.slots) {
			c = p.idle[0]
			p.idle = slices.Delete(p.idle, 0, 1)
		}
		p.mu.Unlock()
	}
	if c != nil {
		c.close()
	}
	<-p.slots
}

const (
	// killInterval paces the attempts to end a statement: the engine looks for the
	// wish between blocks, and a statement may not be registered yet at the first one.
	killInterval = 100 * time.Millisecond
	// stuckAfter is how long a statement may resist before the child gives itself up,
	// unless its options say otherwise.
	stuckAfter = 30 * time.Second
)

// guard runs f on the session and ends its statement in the engine when ctx ends first.
// If the engine does not obey for that long, onStuck is called.
func (p *pool) guard(ctx context.Context, c *connection, onStuck func(), f func()) {
	finished := make(chan struct{})
	watched := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(watched)
		started := time.Now()
		tick := time.NewTicker(killInterval)
		defer tick.Stop()
		for {
			p.kill(c)
			if time.Since(started) > p.stuck {
				onStuck()
				return
			}
			select {
			case <-finished:
				return
			case <-tick.C:
			}
		}
	})
	f()
	close(finished)
	if !stop() {
		<-watched
	}
}

// kill asks the engine to end what the session runs. A failure is not reported: guard
// asks again, and judges by whether the statement ends.
func (p *pool) kill(c *connection) {
	control := <-p.control
	_ = control.exec("KILL QUERY WHERE Settings['log_comment'] = '" + c.name + "' ASYNC")
	p.control <- control
}

// close closes every session; none may be in use.
func (p *pool) close() {
	for _, c := range p.idle {
		c.close()
	}
	(<-p.control).close()
	p.keepAlive.close()
}
