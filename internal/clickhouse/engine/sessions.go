package engine

import (
	"context"
	"sync"
	"time"
)

const (
	// sessionTimeout is how long a named session may be idle before it is closed.
	sessionTimeout = time.Minute
	// maxSessionTimeout bounds what a client may ask for.
	maxSessionTimeout = time.Hour
)

// sessions are the named sessions (session_id) of a handler: their temporary tables and
// settings last from one request to the next. Each keeps a session of the pool to itself,
// until a request closes it (close_session) or it is idle for too long.
type sessions struct {
	pool *pool

	mu   sync.Mutex
	held map[string]*held
}

// held is one named session.
type held struct {
	conn  *connection
	busy  bool
	sweep *time.Timer // closes it; nil while it is busy
}

func newSessions(p *pool) *sessions { return &sessions{pool: p, held: map[string]*held{}} }

// take hands out the session of the request for that request alone, and opens it where it
// is not there and must not be.
func (s *sessions) take(ctx context.Context, req *request) (*connection, error) {
	s.mu.Lock()
	h, found := s.held[req.session]
	if found && h.busy {
		s.mu.Unlock()
		return nil, newException(codeSessionLocked, "Session %s is locked by a concurrent client. (SESSION_IS_LOCKED)", req.session)
	}
	if found {
		h.busy = true
		h.sweep.Stop()
		s.mu.Unlock()
		return h.conn, nil
	}
	if req.sessionCheck {
		s.mu.Unlock()
		return nil, newException(codeSessionNotFound, "Session %s not found. (SESSION_NOT_FOUND)", req.session)
	}
	h = &held{busy: true}
	s.held[req.session] = h
	s.mu.Unlock()
	c, err := s.pool.get(ctx)
	if err != nil {
		s.mu.Lock()
		delete(s.held, req.session)
		s.mu.Unlock()
		return nil, err
	}
	h.conn = c
	return c, nil
}

// give takes the session back, and closes it where the request asked for that.
func (s *sessions) give(req *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[req.session]
	if req.closeSession {
		delete(s.held, req.session)
		s.pool.put(h.conn, true)
		return
	}
	h.busy = false
	h.sweep = time.AfterFunc(req.sessionTimeout, func() { s.expire(req.session, h) })
}

// expire closes a session that is idle.
func (s *sessions) expire(name string, h *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[name] == h && !h.busy {
		delete(s.held, name)
		s.pool.put(h.conn, true)
	}
}

// close closes every session; none may be in use.
func (s *sessions) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, h := range s.held {
		if h.sweep != nil {
			h.sweep.Stop()
		}
		delete(s.held, name)
		s.pool.put(h.conn, true)
	}
}
