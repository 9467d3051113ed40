package jetstream

import (
	"context"
	"errors"
	"sync"
)

// errLinkCut says that the connection broke while an entry was on its way: it may or may
// not have been appended, and no acknowledgement will come.
var errLinkCut = errors.New("connection to the log was lost before the acknowledgement")

// link ends what waits for an answer over a connection when the connection breaks, which
// the client library leaves waiting until its deadline.
type link struct {
	mu     sync.Mutex
	up     context.Context
	broken context.CancelFunc
}

func newLink() *link {
	l := &link{}
	l.up, l.broken = context.WithCancel(context.Background())
	return l
}

// cut ends all that is under way. What begins afterwards belongs to the next connection.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken()
	l.up, l.broken = context.WithCancel(context.Background())
}

// guard returns a context that also ends, with cause errLinkCut, when the link is cut.
// The caller calls done.
func (l *link) guard(ctx context.Context) (guarded context.Context, done func()) {
	l.mu.Lock()
	up := l.up
	l.mu.Unlock()
	guarded, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(up, func() { cancel(errLinkCut) })
	return guarded, func() { stop(); cancel(nil) }
}
