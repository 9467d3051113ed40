package appender

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/problem"
)

const (
	// bigPartBytes is the size in columns from which a part makes entries of its own.
	bigPartBytes = 256 << 10
	// entryBytes is the size in columns at which a group of small parts is full.
	entryBytes = 1 << 20
	// chunkBytes is the size in columns of an entry of a big part: half of what an entry
	// may measure, since columns hardly grow when encoded.
	chunkBytes = stream.MaxEntryBytes / 2
)

// part is a request's rows for one entry of one partition. How a request falls into
// parts depends on its rows alone, never on time or load: a retry makes the same parts
// with the same keys.
type part struct {
	partition int
	key       stream.Key
	batch     *event.Batch // a small part's rows…
	rows      []uint32     // …nil: all
	count     int
	bytes     int     // their size in columns
	payload   *[]byte // …or a big part, encoded
	ctx       context.Context

	// Of one delivery.
	arrived time.Time
	done    *sync.WaitGroup
	seq     uint64
	err     error
}

// finish gives the part its outcome and wakes its Append.
func (p *part) finish(seq uint64, err error) {
	p.seq, p.err = seq, err
	p.done.Done()
}

// errExpired is the class of outcomes of parts whose request ended before their turn.
var errExpired = errors.New("the request ended before its turn")

// untouched reports whether a failed part surely is not in the log.
func (p *part) untouched() bool {
	return errors.Is(p.err, stream.ErrBusy) || errors.Is(p.err, errExpired) || errors.Is(p.err, stream.ErrTooLarge)
}

// split makes the parts of a request.
func (a *Appender) split(ctx context.Context, b *event.Batch, id identity) ([]*part, error) {
	s := splitter{a: a, ctx: ctx, batch: b, id: id}
	var err error
	switch {
	case len(a.writers) == 1:
		err = s.add(0, nil)
	case len(a.key) == 0:
		err = s.add(a.spread(id), nil)
	default:
		for partition, rows := range a.assign(b) {
			if len(rows) == b.Rows {
				rows = nil
			} else if len(rows) == 0 {
				continue
			}
			if err = s.add(partition, rows); err != nil {
				break
			}
		}
	}
	if err != nil {
		a.releaseParts(s.parts)
		return nil, err
	}
	return s.parts, nil
}

// assign lists the rows of each partition.
func (a *Appender) assign(b *event.Batch) [][]uint32 {
	n := len(a.writers)
	of := make([]uint16, b.Rows)
	counts := make([]int, n)
	var buf []byte
	for i := range of {
		buf = appendKey(buf[:0], b, a.key, i)
		p := event.PartitionOf(buf, n)
		of[i] = uint16(p)
		counts[p]++
	}
	all := make([]uint32, 0, b.Rows) // one allocation, cut into the partitions' lists
	rows := make([][]uint32, n)
	for p, c := range counts {
		rows[p] = all[len(all) : len(all) : len(all)+c]
		all = all[:len(all)+c]
	}
	for i, p := range of {
		rows[p] = append(rows[p], uint32(i))
	}
	return rows
}

// appendKey appends a row's partition key.
func appendKey(dst []byte, b *event.Batch, columns []int, row int) []byte {
	for _, c := range columns {
		dst = event.AppendPartitionKey(dst, &b.Columns[c], row)
	}
	return dst
}

// splitter collects the parts of one request.
type splitter struct {
	a     *Appender
	ctx   context.Context
	batch *event.Batch
	id    identity
	parts []*part
}

// add makes the parts of one partition; rows nil means all.
func (s *splitter) add(partition int, rows []uint32) error {
	count := len(rows)
	if rows == nil {
		count = s.batch.Rows
	}
	size := sizeOf(s.batch, rows)
	if size < bigPartBytes {
		s.parts = append(s.parts, &part{
			partition: partition, key: s.id.segment(s.a.o.StreamID, partition, 0, count),
			batch: s.batch, rows: rows, count: count, bytes: size, ctx: s.ctx,
		})
		return nil
	}
	b := s.batch
	if rows != nil {
		b = s.a.batch()
		defer s.a.batches.Put(b)
		b.AppendRows(s.batch, rows)
	}
	chunks := size/chunkBytes + 1
	step := min((count+chunks-1)/chunks, event.MaxEntryRows)
	for from := 0; from < count; from += step {
		if err := s.encode(partition, b, from, min(from+step, count)); err != nil {
			return err
		}
	}
	return nil
}

// encode makes the entry of rows from..to of b, or of its halves where it is too large.
func (s *splitter) encode(partition int, b *event.Batch, from, to int) error {
	rows := b
	if to-from < b.Rows {
		rows = s.a.batch()
		defer s.a.batches.Put(rows)
		rows.AppendRange(b, from, to)
	}
	p := &part{partition: partition, key: s.id.segment(s.a.o.StreamID, partition, from, to), count: to - from, ctx: s.ctx}
	buf, _ := s.a.payloads.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	payload, err := stream.EncodeEntry((*buf)[:0], rows, []stream.Segment{{Rows: p.count, Key: p.key}})
	switch {
	case err == nil:
		*buf = payload
		p.payload = buf
		s.parts = append(s.parts, p)
		return nil
	case !errors.Is(err, stream.ErrTooLarge):
		return fmt.Errorf("encode entry for %s/%d: %w", s.a.o.StreamID, partition, err)
	case p.count == 1:
		return problem.New(http.StatusRequestEntityTooLarge, "event-too-large",
			fmt.Sprintf("an event is too large for an entry of the stream, %d bytes", stream.MaxEntryBytes), "make it smaller")
	}
	middle := from + p.count/2
	if err := s.encode(partition, b, from, middle); err != nil {
		return err
	}
	return s.encode(partition, b, middle, to)
}

// segment returns the key of rows from..to of the request's part in a partition.
func (id identity) segment(streamID string, partition, from, to int) stream.Key {
	buf := make([]byte, 0, 128)
	buf = append(buf, id.domain)
	buf = binary.AppendUvarint(buf, uint64(len(streamID)))
	buf = append(buf, streamID...)
	buf = binary.AppendUvarint(buf, uint64(len(id.key)))
	buf = append(buf, id.key...)
	for _, n := range []int{partition, from, to} {
		buf = binary.AppendUvarint(buf, uint64(n))
	}
	sum := sha256.Sum256(buf)
	return stream.Key(sum[:len(stream.Key{})])
}

// sizeOf returns the memory that rows of b (nil: all) take in a batch of their own.
func sizeOf(b *event.Batch, rows []uint32) int {
	if rows == nil {
		return b.SizeBytes()
	}
	size := 0
	for i := range b.Columns {
		v := &b.Columns[i]
		width := 8
		switch v.Type.Kind {
		case event.Bool:
			width = 1
		case event.String:
			width = 4
			o := v.Str.Offsets
			for _, r := range rows {
				size += int(o[r+1] - o[r])
			}
		}
		if v.Type.Nullable {
			width++
		}
		size += width * len(rows)
	}
	return size
}

// batch returns an empty batch of the stream's schema.
func (a *Appender) batch() *event.Batch {
	if b, ok := a.batches.Get().(*event.Batch); ok {
		b.Reset()
		return b
	}
	return event.NewBatch(a.o.Stream.Schema)
}

// releaseParts gives back the memory of parts that are done. What an append may have
// failed on is left alone: the log's client may still be holding it.
func (a *Appender) releaseParts(parts []*part) {
	for _, p := range parts {
		if p.payload != nil && p.err == nil {
			a.payloads.Put(p.payload)
			p.payload = nil
		}
	}
}
