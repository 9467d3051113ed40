package parquetfile

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"

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
	file    *file.Reader
	records pqarrow.RecordReader
	schema  *event.Schema
	columns []converter
	cancel  context.CancelFunc
}

// NewReader opens a flat Parquet file. Its columns become the kinds of package event:
//
//	boolean                           Bool
//	signed integers                   Int64
//	unsigned integers                 UInt64
//	floats of 16, 32, 64 bits         Float64
//	string, binary, fixed, decimal    String (a decimal as its digits)
//	date                              Date
//	timestamp                         DateTime64 of 3, 6 or 9 digits, by its unit
//	null                              Nullable(String), all null
//
// Optional columns are Nullable. A nested column is an error that names it. The source
// must stay open until Close, which does not close it.
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
	// arrow reserves a batch's memory at once, which small files must not pay for.
	batch := min(readRows, max(1, f.NumRows()))
	fr, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{BatchSize: batch}, memory.DefaultAllocator)
	if err != nil {
		return nil, fmt.Errorf("open parquet: %w", err)
	}
	schema, err := fr.Schema()
	if err != nil {
		return nil, fmt.Errorf("open parquet: %w", err)
	}
	r = &Reader{file: f}
	columns := make([]event.Column, schema.NumFields())
	for i, field := range schema.Fields() {
		c, err := converterOf(field)
		if err != nil {
			return nil, fmt.Errorf("open parquet: %w", err)
		}
		columns[i] = event.Column{Name: field.Name, Type: c.typ}
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
	ctx, r.cancel = context.WithCancel(ctx)
	if r.records, err = fr.GetRecordReader(ctx, nil, nil); err != nil {
		r.cancel()
		return nil, fmt.Errorf("open parquet: %w", err)
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
	if !r.records.Next() {
		if err := r.records.Err(); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read parquet: %w", err)
		}
		return nil, io.EOF
	}
	return r.convert(r.records.Record())
}

func (r *Reader) convert(record arrow.Record) (*event.Batch, error) {
	b := event.NewBatch(r.schema)
	b.Rows = int(record.NumRows())
	for i := range b.Columns {
		if err := r.columns[i].convert(&b.Columns[i], record.Column(i)); err != nil {
			return nil, fmt.Errorf("read parquet column %s: %w", r.schema.Columns[i].Name, err)
		}
	}
	return b, nil
}

// Close ends the reading.
func (r *Reader) Close() error {
	r.cancel()
	r.records.Release()
	return r.file.Close()
}

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
