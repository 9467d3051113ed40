package objstoretest

import (
	"context"
	"sync"

	"github.com/millrace/millrace/lake/objstore"
)

// Faulty wraps a store and fails chosen changes of it: Put, PutNew, Create, Write, Commit and
// Delete, counted from 0 in their order. A change that fails does not happen, and neither
// does any after it until Heal: the process is as good as dead. It is safe for concurrent
// use.
type Faulty struct {
	objstore.Store

	mu     sync.Mutex
	next   int
	failAt int
	err    error // nil: healthy
}

// NewFaulty returns a store that fails from its k-th change on with err; a negative k
// never fails.
func NewFaulty(s objstore.Store, k int, err error) *Faulty {
	return &Faulty{Store: s, failAt: k, err: err}
}

// Heal lets all further changes pass.
func (f *Faulty) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failAt = -1
}

// Fired reports whether a change has failed.
func (f *Faulty) Fired() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failAt >= 0 && f.next > f.failAt
}

// Changes returns how many changes were tried.
func (f *Faulty) Changes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next
}

func (f *Faulty) step() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := f.next
	f.next++
	if f.failAt >= 0 && k >= f.failAt {
		return f.err
	}
	return nil
}

// Put implements objstore.Store.
func (f *Faulty) Put(ctx context.Context, name string, data []byte) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.Store.Put(ctx, name, data)
}

// PutNew implements objstore.Store.
func (f *Faulty) PutNew(ctx context.Context, name string, data []byte) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.Store.PutNew(ctx, name, data)
}

// Create implements objstore.Store.
func (f *Faulty) Create(ctx context.Context, name string) (objstore.Writer, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	w, err := f.Store.Create(ctx, name)
	if err != nil {
		return nil, err
	}
	return &faultyWriter{Writer: w, store: f}, nil
}

// Delete implements objstore.Store.
func (f *Faulty) Delete(ctx context.Context, name string) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.Store.Delete(ctx, name)
}

type faultyWriter struct {
	objstore.Writer
	store *Faulty
}

func (w *faultyWriter) Write(p []byte) (int, error) {
	if err := w.store.step(); err != nil {
		return 0, err
	}
	return w.Writer.Write(p)
}

func (w *faultyWriter) Commit() error {
	if err := w.store.step(); err != nil {
		return err
	}
	return w.Writer.Commit()
}
