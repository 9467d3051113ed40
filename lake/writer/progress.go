package writer

import (
	"sync"

	"github.com/millrace/millrace/lake/seal"
)

// Progress is what a writer has written of its open epoch.
type Progress struct {
	Sealed  uint64      // last entry of the newest seal: the files follow it
	Files   []seal.File // closed chunks of the open epoch, not sealed yet
	Seq     uint64      // last entry that Files hold
	Arrival int64       // its arrival time, ns
}

type progress struct {
	mu sync.Mutex
	p  Progress
}

func (g *progress) set(p Progress) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.p = p
}

func (g *progress) get() Progress {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.p
}

// Progress returns the closed chunks of the open epoch, for readers who need the rows
// that no seal holds yet. It must not be changed.
func (w *Writer) Progress() Progress { return w.progress.get() }
