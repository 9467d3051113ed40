// Package decode turns request bodies (NDJSON, JSON, CSV) into columns, in one pass.
//
// The one invariant: a row is in the batch whole or not at all. A row that breaks a rule
// is rolled back from every column and reported with its bytes and its reason, and the
// rows around it are not affected. What the rules are says docs/ingest.md; the quick
// path (scan.go) and the complete one (full.go) follow the same.
package decode

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
)

// Format is the format of a body.
type Format uint8

// The formats.
const (
	NDJSON Format = iota // one JSON object a line
	JSON                 // objects, or arrays of objects, one after the other
	CSV                  // RFC 4180 with a header row
)

// String returns the format's usual name.
func (f Format) String() string { return [...]string{"NDJSON", "JSON", "CSV"}[f] }

// DefaultFutureSkew forgives clocks and time zones that are a little wrong.
const DefaultFutureSkew = time.Hour

// Limits bound what one body may hold. A zero size means its default.
type Limits struct {
	// MaxBodyBytes is the most a body may measure, both as sent and decompressed.
	// Default 64 MiB: enough for half a million events, little enough to hold in memory.
	MaxBodyBytes int
	// MaxRowBytes is the most the text of one event may measure. Default 1 MiB, so that
	// an event always fits into one entry of the stream.
	MaxRowBytes int
	// MaxDepth is the deepest nesting of an event; the event's own object counts as 1.
	// Default 64.
	MaxDepth int
	// MaxFields is the most members an event's object, or columns a CSV header, may have.
	// Default 1,000.
	MaxFields int
	// MaxRows is the most rows, good and bad, of one body. Default 1,048,576, what one
	// entry of the stream can hold.
	MaxRows int
	// MaxBatchBytes is the most memory the columns of one body may take, so that a small
	// body with many short rows for a wide schema stays bounded. Default 256 MiB.
	MaxBatchBytes int
	// FutureSkew is how far an event time may lie ahead of the server's clock. It has no
	// default, since 0 has a meaning: not at all. DefaultFutureSkew is the usual value.
	FutureSkew time.Duration
}

// WithDefaults returns l with every zero size set to its default.
func (l Limits) WithDefaults() Limits {
	l.MaxBodyBytes = orDefault(l.MaxBodyBytes, 64<<20)
	l.MaxRowBytes = orDefault(l.MaxRowBytes, 1<<20)
	l.MaxDepth = orDefault(l.MaxDepth, 64)
	l.MaxFields = orDefault(l.MaxFields, 1000)
	l.MaxRows = orDefault(l.MaxRows, event.MaxEntryRows)
	l.MaxBatchBytes = orDefault(l.MaxBatchBytes, 256<<20)
	return l
}

func orDefault(v, def int) int {
	if v == 0 {
		return def
	}
	return v
}

// Rejected is a row that did not become an event.
type Rejected struct {
	// Line is the line in the body, from 1 (NDJSON, CSV), or the number of the value in
	// the document, from 1 (JSON).
	Line   int
	Reason string
	Raw    []byte // the row's bytes; aliases the body
}

// ErrTooLarge is the class of errors of a body with more rows, or larger ones, than the
// limits allow.
var ErrTooLarge = errors.New("body is too large")

// BodyError says that a body as a whole cannot be read; nothing of it is accepted.
type BodyError struct {
	Offset int // in the decompressed body, bytes from 0
	Msg    string
}

func (e *BodyError) Error() string { return fmt.Sprintf("%s at byte %d", e.Msg, e.Offset) }

// Decoder decodes bodies for one stream. It remembers the order of keys of the last row,
// which is what makes it fast. It is used by one goroutine at a time; see Pool.
type Decoder struct {
	stream  *plan.Stream
	limits  Limits
	columns []columnInfo
	byName  map[string]int32
	fields  int // declared columns, without _extra
	extra   int // place of _extra, -1 if the schema has none
	maxRows int // MaxRows, or fewer where the columns are many

	// State of one Decode.
	latest   int64 // the largest event time accepted, in the column's unit
	line     int
	rows     int // rows seen, good and bad
	rejected []Rejected

	// State of one row.
	stamp  uint64
	seen   []uint64 // by column: the stamp of the last row that had it
	order  []slot   // predicted keys, from the rows before
	extras []span   // keys of the row's undeclared fields so far

	full fullParser
}

// columnInfo is what the hot loop needs of a column.
type columnInfo struct {
	typ     event.Type
	pattern []byte // "name": with its quotes, as it stands in compact JSON
}

// NewDecoder returns a decoder for the stream's schema.
func NewDecoder(stream *plan.Stream, limits Limits) *Decoder {
	s := stream.Schema
	d := &Decoder{
		stream:  stream,
		limits:  limits.WithDefaults(),
		columns: make([]columnInfo, len(s.Columns)),
		byName:  make(map[string]int32, len(s.Columns)),
		seen:    make([]uint64, len(s.Columns)),
		extra:   -1,
		full: fullParser{
			dec:     jsontext.NewDecoder(new(bytes.Buffer)),
			last:    make([][]byte, len(s.Columns)),
			unknown: make(map[string]int),
		},
	}
	rowBytes := 0
	for i, c := range s.Columns {
		d.columns[i].typ = c.Type
		rowBytes += fixedBytes(c.Type)
		// An event cannot set _extra: a field of that name is undeclared like any other.
		if c.Name == event.ExtraColumn && i == len(s.Columns)-1 {
			d.extra = i
			continue
		}
		d.fields++
		d.byName[c.Name] = int32(i)
		d.columns[i].pattern = append(appendJSONString(nil, []byte(c.Name)), ':')
	}
	d.maxRows = max(1, min(d.limits.MaxRows, d.limits.MaxBatchBytes/max(1, rowBytes)))
	return d
}

// fixedBytes is the memory a row takes in a column, without the bytes of a string.
func fixedBytes(t event.Type) int {
	n := 8
	switch t.Kind {
	case event.Bool:
		n = 1
	case event.String:
		n = 4
	}
	if t.Nullable {
		n++
	}
	return n
}

// Decode appends the body's rows to dst, a batch of the stream's schema. now is the
// server's clock, against which event times are held. The rejected rows alias body and
// stay valid until the next Decode. After an error (a *BodyError, or of kind
// ErrTooLarge) the content of dst is unspecified.
func (d *Decoder) Decode(dst *event.Batch, f Format, body []byte, now time.Time) ([]Rejected, error) {
	d.line, d.rows, d.rejected = 0, 0, d.rejected[:0]
	d.latest = d.ticks(now.Add(d.limits.FutureSkew))
	if len(body) > d.limits.MaxBodyBytes {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(body), d.limits.MaxBodyBytes)
	}
	skipped := len(body)
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	skipped -= len(body)
	var err error
	switch f {
	case JSON:
		err = d.document(dst, body)
	case CSV:
		err = d.csv(dst, body)
	default:
		err = d.lines(dst, body)
	}
	if err == nil {
		return d.rejected, nil
	}
	var be *BodyError
	if errors.As(err, &be) {
		be.Offset += skipped
	}
	return nil, err
}

// ticks converts a time to the unit of the event-time column.
func (d *Decoder) ticks(t time.Time) int64 {
	typ := d.columns[d.stream.EventTime].typ
	if typ.Kind == event.Date {
		return event.FloorDiv(t.Unix(), secondsPerDay)
	}
	v, ok := instant{sec: t.Unix(), nanos: int64(t.Nanosecond())}.ticks(typ.Precision)
	if !ok {
		return 1<<63 - 1
	}
	return v
}

// count counts one more row and says whether the body may have it.
func (d *Decoder) count() error {
	d.rows++
	if d.rows > d.maxRows {
		return fmt.Errorf("%w: more than %d rows for this stream in one body", ErrTooLarge, d.maxRows)
	}
	return nil
}

func (d *Decoder) reject(raw []byte, reason string) {
	d.rejected = append(d.rejected, Rejected{Line: d.line, Reason: reason, Raw: raw})
}

// truncate rolls every column back to the batch's rows.
func truncate(b *event.Batch) {
	n := b.Rows
	for i := range b.Columns {
		v := &b.Columns[i]
		switch v.Type.Kind {
		case event.Bool:
			v.U8 = v.U8[:n]
		case event.Int64, event.Date, event.DateTime64:
			v.I64 = v.I64[:n]
		case event.UInt64:
			v.U64 = v.U64[:n]
		case event.Float64:
			v.F64 = v.F64[:n]
		case event.String:
			if len(v.Str.Offsets) > 0 {
				v.Str.Offsets = v.Str.Offsets[:n+1]
				v.Str.Data = v.Str.Data[:v.Str.Offsets[n]]
			} else {
				v.Str.Data = v.Str.Data[:0]
			}
		}
		if v.Type.Nullable {
			v.Nulls = v.Nulls[:n]
		}
	}
}

// finish completes a row whose values are in the columns: it fills what was missing,
// ends _extra and checks the event time. Where the row is refused it says why and the
// caller rolls back.
func (d *Decoder) finish(b *event.Batch, found int, hasExtra bool) (reason string) {
	if d.extra >= 0 {
		s := &b.Columns[d.extra].Str
		if len(s.Offsets) == 0 {
			s.Offsets = append(s.Offsets, 0)
		}
		if hasExtra {
			s.Data = append(s.Data, '}')
		}
		s.Offsets = append(s.Offsets, int32(len(s.Data)))
	}
	t := d.stream.EventTime
	if d.seen[t] != d.stamp {
		return "the event time, column " + quoteName(d.stream.Schema.Columns[t].Name) + ", is missing"
	}
	if v := b.Columns[t].I64; v[len(v)-1] > d.latest {
		return "the event time lies more than " + d.limits.FutureSkew.String() + " in the future"
	}
	if found < d.fields {
		for i := range d.columns {
			if i != d.extra && d.seen[i] != d.stamp {
				b.Columns[i].AppendZero(true)
			}
		}
	}
	b.Rows++
	return ""
}

// Pool hands out decoders of one stream together with a batch to decode into. It is
// safe for concurrent use.
type Pool struct {
	stream *plan.Stream
	limits Limits
	pool   sync.Pool
}

// Work is a decoder and its batch.
type Work struct {
	*Decoder
	Batch *event.Batch
}

// keepBatchBytes is the largest batch whose memory a Pool keeps: a few large bodies must
// not hold memory for ever.
const keepBatchBytes = 32 << 20

// NewPool returns a pool of decoders.
func NewPool(stream *plan.Stream, limits Limits) *Pool {
	return &Pool{stream: stream, limits: limits.WithDefaults()}
}

// Limits returns the limits in force.
func (p *Pool) Limits() Limits { return p.limits }

// Get returns a decoder with an empty batch.
func (p *Pool) Get() *Work {
	if w, ok := p.pool.Get().(*Work); ok {
		return w
	}
	return &Work{Decoder: NewDecoder(p.stream, p.limits), Batch: event.NewBatch(p.stream.Schema)}
}

// Put takes back what Get returned; nobody may use its batch any more.
func (p *Pool) Put(w *Work) {
	if w.Batch.SizeBytes() > keepBatchBytes {
		return
	}
	w.Batch.Reset()
	clear(w.rejected[:cap(w.rejected)]) // they alias a body
	p.pool.Put(w)
}
