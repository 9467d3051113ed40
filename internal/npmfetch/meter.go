package npmfetch

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
	// followInterval paces the looks at what npm has downloaded.
	followInterval = 250 * time.Millisecond
	// lineInterval paces the plain lines, which end up in log files.
	lineInterval = 5 * time.Second
	bytesPerMB   = 1e6
)

// meter reports the progress of one step to a person.
type meter struct {
	out   io.Writer // nil: nobody looks
	what  string
	total int64 // bytes; 0: unknown

	mu   sync.Mutex
	done int64
	bar  *progressbar.ProgressBar // on a terminal, from the first report
	line time.Time                // of the last plain line
}

func newMeter(out io.Writer, what string, total int64) *meter {
	return &meter{out: out, what: what, total: total}
}

// Write counts bytes that have passed, for io.TeeReader.
func (m *meter) Write(p []byte) (int, error) {
	m.set(m.done + int64(len(p)))
	return len(p), nil
}

// set reports that done bytes have passed.
func (m *meter) set(done int64) {
	if m.out == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = done
	if m.total > 0 {
		m.done = min(done, m.total) // npm's cache holds a little more than the package
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

// finish reports the end of the step.
func (m *meter) finish() {
	if m.out == nil {
		return
	}
	if m.total > 0 {
		m.set(m.total)
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

func (m *meter) print() {
	if m.total > 0 {
		fmt.Fprintf(m.out, "%s: %.0f of %.0f MB\n", m.what, float64(m.done)/bytesPerMB, float64(m.total)/bytesPerMB)
	} else {
		fmt.Fprintf(m.out, "%s: %.0f MB\n", m.what, float64(m.done)/bytesPerMB)
	}
}

// follow reports what size says until the returned function is called.
func (m *meter) follow(size func() int64) (stop func()) {
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(followInterval)
		defer tick.Stop()
		for {
			m.set(size())
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
