package engine

import (
	"context"
	"sync"
	"time"
)

const (
	// sessionTimeout is how long a named session may be idle before it is closed.
	sessionTimeout = time.Minute
	// graveTime is how long the name of a session that was closed before it was opened is
	// refused: a client that gives up a request may be heard before that request is.
	graveTime = 10 * time.Second
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
	conn   *connection
	busy   bool
	closed bool        // close it once it is no longer busy; never opened where conn is nil
	sweep  *time.Timer // forgets it; nil while it is busy
}

func newSessions(p *pool) *sessions { return &sessions{pool: p, held: map[string]*held{}} }

// take hands out the session of the request for that request alone, and opens it where it
// is not there and must not be.
func (s *sessions) take(ctx context.Context, req *request) (*connection, error) {
	s.mu.Lock()
	h, found := s.held[req.session]
	switch {
	case found && h.busy:
		h.closed = h.closed || req.closeSession
		s.mu.Unlock()
		return nil, newException(codeSessionLocked, "Session %s is locked by a concurrent client. (SESSION_IS_LOCKED)", req.session)
	case found && h.conn != nil:
		h.busy = true
		h.sweep.Stop()
		s.mu.Unlock()
		return h.conn, nil
	case found || req.sessionCheck:
		if !found && req.closeSession {
			h = &held{closed: true}
			h.sweep = time.AfterFunc(graveTime, func() { s.expire(req.session, h) })
			s.held[req.session] = h
		}
		s.mu.Unlock()
		return nil, newException(codeSessionNotFound, "Session %s not found. (SESSION_NOT_FOUND)", req.session)
	}
	h = &held{busy: true}
	s.held[req.session] = h
	s.mu.Unlock()
	c, err := s.pool.get(ctx, "")
	if err != nil {
		s.mu.Lock()
		delete(s.held, req.session)
		s.mu.Unlock()
		return nil, err
	}
	h.conn = c
	return c, nil
}

// give takes the session back, and closes it where the request or another asked for that,
// or where the request was given up: its client does not know what became of it.
func (s *sessions) give(ctx context.Context, req *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[req.session]
	if req.closeSession || h.closed || ctx.Err() != nil {
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
	if s.held[name] != h || h.busy {
		return
	}
	delete(s.held, name)
	if h.conn != nil {
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
		if h.conn != nil {
			s.pool.put(h.conn, true)
		}
	}
}
