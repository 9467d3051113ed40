// Package progress shows a person how far long work has come: a bar on a terminal, plain
// lines elsewhere.
//
// The one invariant: it never fails and never holds the work up.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

const (
	// followInterval paces the looks at work that does not report by itself.
	followInterval = 250 * time.Millisecond
	// lineInterval paces the plain lines, which end up in log files.
	lineInterval = 5 * time.Second
	bytesPerMB   = 1e6
)

// Meter reports the progress of one step. It is safe for concurrent use.
type Meter struct {
	out   io.Writer // nil: nobody looks
	what  string
	total int64 // bytes; 0: unknown

	mu   sync.Mutex
	done int64
	bar  *progressbar.ProgressBar // on a terminal, from the first report
	line time.Time                // of the last plain line
}

// New returns a meter of total bytes, 0 where that is not known; a nil out means that
// nobody looks.
func New(out io.Writer, what string, total int64) *Meter {
	return &Meter{out: out, what: what, total: total}
}

// Write counts bytes that have passed, for io.TeeReader.
func (m *Meter) Write(p []byte) (int, error) {
	m.Set(m.done + int64(len(p)))
	return len(p), nil
}

// Set reports that done bytes have passed.
func (m *Meter) Set(done int64) {
	if m.out == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = done
	if m.total > 0 {
		m.done = min(done, m.total) // what is looked at from outside may be a little more
	}
	if isTerminal(m.out) {
		if m.bar == nil {
			m.bar = newBar(m.out, m.what, m.total)
		}
		_ = m.bar.Set64(m.done)
		return
	}
	if now := time.Now(); now.Sub(m.line) >= lineInterval {
		m.line = now
		m.print()
	}
}

// Finish reports the end of the step.
func (m *Meter) Finish() {
	if m.out == nil {
		return
	}
	if m.total > 0 {
		m.Set(m.total)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bar != nil {
		_ = m.bar.Finish()
		fmt.Fprintln(m.out)
		return
	}
	fmt.Fprintf(m.out, "%s: done\n", m.what)
}

func (m *Meter) print() {
	if m.total > 0 {
		fmt.Fprintf(m.out, "%s: %.0f of %.0f MB\n", m.what, float64(m.done)/bytesPerMB, float64(m.total)/bytesPerMB)
	} else {
		fmt.Fprintf(m.out, "%s: %.0f MB\n", m.what, float64(m.done)/bytesPerMB)
	}
}

// Follow reports what size says until the returned function is called.
func (m *Meter) Follow(size func() int64) (stop func()) {
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(followInterval)
		defer tick.Stop()
		for {
			m.Set(size())
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(quit); <-gone }
}

func newBar(out io.Writer, what string, total int64) *progressbar.ProgressBar {
	if total == 0 {
		total = -1 // progressbar's way to say unknown
	}
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionFullWidth(),
	)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// SetTotal says how much there is in all, where that is known only later.
func (m *Meter) SetTotal(total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total = total
}
