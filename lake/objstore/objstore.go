// Package objstore is the contract of the store that the lake lives in.
//
// The one invariant: an object is either absent or whole. Put and Commit publish in
// one atomic, durable step; nobody ever reads half an object.
package objstore

import (
	"context"
	"errors"
	"io"
	"time"
)

// Errors of the operations, for errors.Is.
var (
	ErrNotFound = errors.New("object not found")
	ErrExists   = errors.New("object exists")
)

// Store keeps objects under slash-separated names. Implementations are safe for
// concurrent use.
type Store interface {
	// Put writes an object whole, replacing one of the same name.
	Put(ctx context.Context, name string, data []byte) error
	// PutNew writes an object whole where there is none of that name; otherwise it changes
	// nothing and returns ErrExists. Of several that write one name at the same time, in one
	// process or in many, exactly one succeeds: on S3 it is a PUT with If-None-Match: *. After
	// another error the object may be there.
	PutNew(ctx context.Context, name string, data []byte) error
	// Create starts an object of unknown length; nothing is visible before Commit.
	Create(ctx context.Context, name string) (Writer, error)
	// Open returns a reader of an object; ErrNotFound where there is none.
	Open(ctx context.Context, name string) (Reader, error)
	// List returns the objects whose names start with prefix, in order of name.
	// Unfinished objects are not among them.
	List(ctx context.Context, prefix string) ([]Object, error)
	// Delete removes an object; removing what is not there succeeds.
	Delete(ctx context.Context, name string) error
	// URL returns the object's address as ClickHouse's file() or s3() takes it: for the
	// local store an absolute path.
	URL(name string) string
}

// Writer receives an object's bytes. Exactly one of Commit and Abort ends it; Abort
// after Commit does nothing, so that it can be deferred.
type Writer interface {
	io.Writer
	Commit() error
	Abort() error
}

// Reader reads an object at any offset.
type Reader interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Object is one entry of a listing.
type Object struct {
	Name      string
	SizeBytes int64
	Modified  time.Time
}

// Get reads an object whole.
func Get(ctx context.Context, s Store, name string) ([]byte, error) {
	r, err := s.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, r.Size())
	if _, err := r.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b, nil
}
