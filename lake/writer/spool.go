package writer

import (
	"context"
	"errors"

	"github.com/millrace/millrace/lake/objstore"
)

// spool creates its object at the first byte, so that a chunk takes nothing of the store
// before its first row group is encoded.
type spool struct {
	ctx   context.Context // of the writer's run
	store objstore.Store
	name  string
	out   objstore.Writer
}

func (s *spool) Write(p []byte) (int, error) {
	if s.out == nil {
		out, err := s.store.Create(s.ctx, s.name)
		if err != nil {
			return 0, err
		}
		s.out = out
	}
	return s.out.Write(p)
}

func (s *spool) commit() error {
	if s.out == nil {
		return errors.New("commit of a file without bytes")
	}
	return s.out.Commit()
}

func (s *spool) abort() error {
	if s.out == nil {
		return nil
	}
	return s.out.Abort()
}
