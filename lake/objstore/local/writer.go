package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// writer is one unfinished object. It is used by one goroutine.
type writer struct {
	ctx     context.Context // ends with Commit: the writer is one operation in parts
	store   *Store
	name    string
	file    *os.File // nil once committed or aborted
	publish publishFunc
	err     error // first failure; Commit refuses after it
}

var errEnded = errors.New("the object was committed or aborted already")

func (w *writer) Write(p []byte) (int, error) {
	if w.file == nil {
		return 0, fmt.Errorf("write object %s: %w", w.name, errEnded)
	}
	err := w.store.before(OpWrite, w.name)
	n := 0
	if err == nil {
		n, err = w.file.Write(p)
	}
	if err != nil {
		err = fmt.Errorf("write object %s: %w", w.name, err)
		w.err = errors.Join(w.err, err)
	}
	return n, err
}

// Commit publishes the object. After an error the object may be there or not, but never
// in part; Commit of the same bytes again, by a new writer, is the way on.
func (w *writer) Commit() error {
	if w.file == nil {
		return fmt.Errorf("commit object %s: %w", w.name, errEnded)
	}
	if err := w.commit(); err != nil {
		return errors.Join(fmt.Errorf("commit object %s: %w", w.name, err), w.Abort())
	}
	return nil
}

func (w *writer) commit() error {
	if w.err != nil {
		return w.err
	}
	if err := w.ctx.Err(); err != nil {
		return err
	}
	s := w.store
	path := s.path(w.name)
	if err := s.makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	if err := s.before(OpSync, w.name); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	if err := s.before(OpClose, w.name); err != nil {
		return err
	}
	if err := w.file.Close(); err != nil {
		return err
	}
	if err := s.before(OpRename, w.name); err != nil {
		return err
	}
	if err := w.publish(w.file.Name(), path); err != nil {
		return err
	}
	w.file = nil
	return s.syncDir(filepath.Dir(path))
}

// Abort drops the object.
func (w *writer) Abort() error {
	if w.file == nil {
		return nil
	}
	f := w.file
	w.file = nil
	err := f.Close()
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	if err = errors.Join(err, os.Remove(f.Name())); err != nil {
		return fmt.Errorf("abort object %s: %w", w.name, err)
	}
	return nil
}
