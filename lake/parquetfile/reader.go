package parquetfile

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/parquet/file"

	"github.com/millrace/millrace/internal/event"
)

// readRows is the rows of a batch that a reader returns.
const readRows = 64 << 10

// Source is a sized input that can be read at any offset: an objstore.Reader, or a file
// wrapped in io.NewSectionReader.
type Source interface {
	io.ReaderAt
	Size() int64
}

// Reader reads a Parquet file, of the lake or of anyone, as event batches. It is used by
// one goroutine.
type Reader struct {
	ctx     context.Context
	file    *file.Reader
	schema  *event.Schema
	columns []columnReader

	group int   // row group being read
	left  int64 // rows left in it
}

// NewReader opens a flat Parquet file. Its columns become the kinds of package event:
//
//	boolean                           Bool
//	signed integers                   Int64
//	unsigned integers                 UInt64
//	floats of 32, 64 bits             Float64
//	string, binary, fixed, decimal    String (a decimal as its digits)
//	date                              Date
//	timestamp                         DateTime64 of 3, 6 or 9 digits, by its unit
//
// Optional columns are Nullable. A column of another type, a repeated or a nested one is
// an error that names it. The source must stay open until Close, which does not close it.
func NewReader(ctx context.Context, src Source) (*Reader, error) { return newReader(ctx, src, nil) }

// NewStoredReader opens a file of the lake as batches of the stream's StoredSchema.
func NewStoredReader(ctx context.Context, src Source, stream *event.Schema) (*Reader, error) {
	stored, err := StoredSchema(stream)
	if err != nil {
		return nil, fmt.Errorf("open parquet: %w", err)
	}
	return newReader(ctx, src, stored)
}

func newReader(ctx context.Context, src Source, want *event.Schema) (r *Reader, err error) {
	defer recoverTo(&err)
	f, err := file.NewParquetReader(io.NewSectionReader(src, 0, src.Size()))
	if err != nil {
		return nil, fmt.Errorf("open parquet: %w", err)
	}
	r = &Reader{ctx: ctx, file: f, group: -1}
	columns := make([]event.Column, f.MetaData().Schema.NumColumns())
	for i := range columns {
		c, err := columnReaderOf(f.MetaData().Schema.Column(i))
		if err != nil {
			return nil, fmt.Errorf("open parquet: %w", err)
		}
		columns[i] = event.Column{Name: f.MetaData().Schema.Column(i).Name(), Type: c.typ}
		r.columns = append(r.columns, c)
	}
	if r.schema, err = event.NewSchema(columns...); err != nil {
		return nil, fmt.Errorf("open parquet: %w", err)
	}
	if want != nil {
		if err := r.narrow(want); err != nil {
			return nil, fmt.Errorf("open parquet: %w", err)
		}
	}
	return r, nil
}

// narrow makes the file's columns those of the schema that it was written with: times
// go back to their own precision.
func (r *Reader) narrow(want *event.Schema) error {
	if len(want.Columns) != len(r.columns) {
		return fmt.Errorf("the file has %d columns, the stream %d", len(r.columns), len(want.Columns))
	}
	for i, c := range want.Columns {
		have := r.schema.Columns[i]
		t, h := c.Type.Plain(), have.Type
		if c.Type.Kind == event.DateTime64 {
			r.columns[i].divide = storedScale(t.Precision)
			t.Precision, h.Precision = 0, 0
		}
		if have.Name != c.Name || h != t {
			return fmt.Errorf("column %d of the file is %s %s, of the stream %s %s", i+1, have.Name, have.Type, c.Name, c.Type)
		}
		r.columns[i].typ = c.Type
	}
	r.schema = want
	return nil
}

// Schema returns the columns of the batches.
func (r *Reader) Schema() *event.Schema { return r.schema }

// Rows returns the number of rows in the file.
func (r *Reader) Rows() int64 { return r.file.NumRows() }

// Next returns the next batch, which belongs to the caller, or io.EOF.
func (r *Reader) Next() (b *event.Batch, err error) {
	defer recoverTo(&err)
	for r.left == 0 {
		if r.group++; r.group >= r.file.NumRowGroups() {
			return nil, io.EOF
		}
		g := r.file.RowGroup(r.group)
		r.left = g.NumRows()
		for i := range r.columns {
			chunk, err := g.Column(i)
			if err != nil {
				return nil, fmt.Errorf("read parquet column %s: %w", r.schema.Columns[i].Name, err)
			}
			r.columns[i].chunk = chunk
		}
	}
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	n := min(r.left, readRows)
	b = event.NewBatch(r.schema)
	b.Rows = int(n)
	for i := range b.Columns {
		if err := r.columns[i].read(&b.Columns[i], n); err != nil {
			return nil, fmt.Errorf("read parquet column %s: %w", r.schema.Columns[i].Name, err)
		}
	}
	r.left -= n
	return b, nil
}

// Close ends the reading.
func (r *Reader) Close() error { return r.file.Close() }

// recoverTo turns a panic of the library on a broken file into an error.
func recoverTo(err *error) {
	switch p := recover().(type) {
	case nil:
	case error:
		*err = fmt.Errorf("read parquet: the file is broken: %w", p)
	default:
		*err = fmt.Errorf("read parquet: the file is broken: %v", p)
	}
}

// Each calls f with every batch that is left, until f fails.
func (r *Reader) Each(f func(*event.Batch) error) error {
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = f(b)
		}
		if err != nil {
			return err
		}
	}
}
