package engine

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// hungAfter is how long a child that answered before may be silent. It is far beyond
	// what a busy machine makes of a ping, which waits for no statement.
	hungAfter = 15 * time.Second
	// hungPings in a row without an answer make up that silence. They are counted, since
	// the clock also runs while this process itself is stopped.
	hungPings = 3
)

// outlast waits for the end of the child or for Stop, and says whether it was Stop. It
// kills a child that hangs.
func (e *Engine) outlast(c *child) (stopped bool) {
	ctx, cancel := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() { e.watch(ctx, c) })
	defer watch.Wait()
	defer cancel()
	select {
	case <-e.stop:
		return true
	case <-c.exited:
		return false
	}
}

// watch pings the child until ctx ends, and kills it when hungPings in a row are missed.
func (e *Engine) watch(ctx context.Context, c *child) {
	every := e.opts.HungAfter / hungPings
	tick := time.NewTicker(every)
	defer tick.Stop()
	for missed := 0; missed < hungPings; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		err := e.ping(ctx, every)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			missed = 0
		default:
			missed++
			e.opts.Log.Warn("engine child missed a ping", "pid", c.cmd.Process.Pid, "in a row", missed, "error", err)
		}
	}
	e.opts.Log.Error("engine child hangs, killing it", "pid", c.cmd.Process.Pid, "silent", e.opts.HungAfter)
	_ = c.cmd.Process.Kill() // fails only where it has ended already
}

// ping asks the child for a sign of life, on a connection of its own.
func (e *Engine) ping(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.listener.Addr().String()+"/ping", nil)
	if err != nil {
		return fmt.Errorf("ping engine child: %w", err)
	}
	reply, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return fmt.Errorf("ping engine child: %w", err)
	}
	_ = reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("ping engine child: %s", reply.Status)
	}
	return nil
}
