package shell

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// clockAfter is how long a statement runs before its time is shown: most end sooner,
	// and a line that flashes up disturbs.
	clockAfter = time.Second
	// clockEvery paces the line after that.
	clockEvery = 100 * time.Millisecond
)

// clearLine goes to the beginning of a terminal's line and clears it.
const clearLine = "\r\x1b[K"

// clock shows, on a line of its own, how long a statement runs.
type clock struct {
	rows  atomic.Int64 // read so far
	quit  chan struct{}
	gone  chan struct{}
	ended sync.Once
}

// startClock starts a clock; a nil out shows nothing.
func startClock(out io.Writer, start time.Time) *clock {
	c := &clock{quit: make(chan struct{}), gone: make(chan struct{})}
	if out == nil {
		close(c.gone)
		return c
	}
	go c.run(out, start)
	return c
}

func (c *clock) run(out io.Writer, start time.Time) {
	defer close(c.gone)
	first := time.NewTimer(clockAfter)
	defer first.Stop()
	select {
	case <-c.quit:
		return
	case <-first.C:
	}
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for {
		line := fmt.Sprintf("%.1f s", time.Since(start).Seconds())
		if n := c.rows.Load(); n > 0 {
			line += ", " + Count(int(n), "row")
		}
		fmt.Fprintf(out, "%s%s%s (Ctrl-C cancels)%s", clearLine, dim, line, reset)
		select {
		case <-c.quit:
			fmt.Fprint(out, clearLine)
			return
		case <-tick.C:
		}
	}
}

// end takes the line away. It may be called several times.
func (c *clock) end() {
	c.ended.Do(func() { close(c.quit) })
	<-c.gone
}
