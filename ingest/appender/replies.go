package appender

import (
	"context"
	"errors"
	"sync"
)

// ErrKeyReused is returned where an Idempotency-Key comes with another request's body.
var ErrKeyReused = errors.New("the Idempotency-Key was used for another request")

// Replies remembers the replies to the last requests with an Idempotency-Key, so that a
// retry gets the same reply, and two requests at once with one key are worked on once.
// What it forgets costs work, never exactness: the keys of segments, which the log's
// readers check, are what makes retries harmless. It is safe for concurrent use.
type Replies[T any] struct {
	mu    sync.Mutex
	byKey map[string]*reply[T]
	ring  []string // keys of the kept replies
	next  int      // place of the oldest in ring, once full
}

type reply[T any] struct {
	fingerprint uint64
	done        chan struct{}
	kept        bool // written before done is closed
	value       T
}

// NewReplies returns a memory of n replies.
func NewReplies[T any](n int) *Replies[T] {
	return &Replies[T]{byKey: make(map[string]*reply[T]), ring: make([]string, 0, n)}
}

// Do returns the reply remembered for key, or calls work and remembers its reply where
// that succeeds. While another call works on the key it waits. fingerprint tells the
// requests of one key apart: another one than remembered fails with ErrKeyReused.
func (r *Replies[T]) Do(ctx context.Context, key string, fingerprint uint64, work func() (T, error)) (value T, repeated bool, err error) {
	for {
		r.mu.Lock()
		c := r.byKey[key]
		if c == nil {
			c = &reply[T]{fingerprint: fingerprint, done: make(chan struct{})}
			r.byKey[key] = c
			r.mu.Unlock()
			err := r.work(key, c, work)
			return c.value, false, err
		}
		r.mu.Unlock()
		if c.fingerprint != fingerprint {
			return value, false, ErrKeyReused
		}
		select {
		case <-c.done:
			if c.kept {
				return c.value, true, nil
			}
		case <-ctx.Done():
			return value, false, ctx.Err()
		}
	}
}

// work runs the first call of a key and keeps or forgets its reply.
func (r *Replies[T]) work(key string, c *reply[T], work func() (T, error)) (err error) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if c.kept {
			r.keep(key)
		} else { // also where work panicked
			delete(r.byKey, key)
		}
		close(c.done)
	}()
	if c.value, err = work(); err == nil {
		c.kept = true
	}
	return err
}

// keep notes a kept key, in the place of the oldest once the memory is full.
func (r *Replies[T]) keep(key string) {
	if len(r.ring) < cap(r.ring) {
		r.ring = append(r.ring, key)
		return
	}
	delete(r.byKey, r.ring[r.next])
	r.ring[r.next] = key
	r.next = (r.next + 1) % len(r.ring)
}
