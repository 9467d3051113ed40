// Package stream is the contract of the durable, partitioned, replayable log between
// ingest and every reader, and the reader that turns its entries into typed batches.
//
// The one invariant: an entry whose Append returned no error is durable, and every
// reader sees the entries of a partition in one and the same order for ever.
package stream

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Backend opens the logs of one cluster. Implementations are safe for concurrent use.
type Backend interface {
	// Open returns the log of the given id, created with that many partitions where it
	// does not exist. Opening with another number of partitions is an error.
	Open(ctx context.Context, id string, partitions int) (Log, error)
	// Drop deletes a log and its entries. Dropping what is not there succeeds.
	Drop(ctx context.Context, id string) error
	// Fence returns a token greater than every token returned for the name before, by
	// any process. The token outlives restarts.
	Fence(ctx context.Context, name string) (uint64, error)
	Close() error
}

// Log is one partitioned log. Implementations are safe for concurrent use.
type Log interface {
	Partitions() int
	// Append adds an entry and returns its sequence, 1 or more, contiguous in the
	// partition. It blocks until the entry is durable. An error of kind ErrBusy means
	// that nothing was appended and a later try may succeed; after any other error the
	// entry may or may not be there, and a try again is made harmless by the entry's
	// own segment keys. A payload over MaxEntryBytes is refused with ErrTooLarge.
	Append(ctx context.Context, partition int, payload []byte) (seq uint64, err error)
	// Read returns a reader of the entries with a sequence greater than after. Where
	// some of those were trimmed, the reader's first Next fails with a *TrimmedError. The
	// context is for opening only.
	Read(ctx context.Context, partition int, after uint64) (Reader, error)
	// Head returns the sequence of the newest entry, 0 if there never was one.
	Head(ctx context.Context, partition int) (uint64, error)
	// SeqAt returns the sequence of the first entry whose Time is not before t, or the
	// head's sequence plus one where there is none. Trimmed entries do not count.
	SeqAt(ctx context.Context, partition int, t time.Time) (uint64, error)
	// Trim deletes the entries with a sequence less than before. It is idempotent.
	Trim(ctx context.Context, partition int, before uint64) error
	Close() error
}

// Reader reads one partition in order. It is used by one goroutine.
type Reader interface {
	// Next returns the next entry; at the head of the log it blocks until there is one
	// or ctx ends. The payload belongs to the caller.
	Next(ctx context.Context) (Entry, error)
	Close() error
}

// Entry is one appended payload with what the log says of it.
type Entry struct {
	Seq     uint64
	Time    time.Time // the log's own timestamp of the append; may step back
	Payload []byte
}

// ErrBusy is the class of errors after which nothing was appended and a later try may
// succeed: a full disk, a stalled store, too much in flight.
var ErrBusy = errors.New("stream is busy")

// TrimmedError says that the entries asked for were trimmed.
type TrimmedError struct {
	After uint64 // where the reader meant to start
	First uint64 // the oldest entry that is still there
}

func (e *TrimmedError) Error() string {
	return fmt.Sprintf("entries after %d were trimmed; the oldest is %d", e.After, e.First)
}
