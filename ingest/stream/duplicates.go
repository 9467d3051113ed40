package stream

import (
	"encoding/binary"
	"math"

	"github.com/dchest/siphash"

	"github.com/millrace/millrace/internal/event"
)

// duplicates decides which rows of an entry count. Each decision depends only on the
// entries of the window before it, dropped rows included, never on earlier decisions:
// that is what makes it the same wherever in the log a tail begins.
type duplicates struct {
	requests *recent
	events   *recent // nil without a dedupe key
	columns  []int
	buf      []byte // one row's key, encoded
}

func newDuplicates(o *TailOptions) *duplicates {
	idempotency, dedupe := o.windows()
	d := &duplicates{requests: newRecent(idempotency), columns: o.DedupeKey}
	if len(o.DedupeKey) > 0 {
		d.events = newRecent(dedupe)
	}
	return d
}

// filter remembers the keys of an entry and returns the rows that count; nil: all.
func (d *duplicates) filter(epoch event.Epoch, batch *event.Batch, segments []Segment) []uint32 {
	kept := keep{total: batch.Rows}
	row := 0
	for _, s := range segments {
		repeated := s.Key != (Key{}) && d.requests.seen(s.Key, epoch)
		if d.events == nil {
			kept.add(row, row+s.Rows, repeated)
			row += s.Rows
			continue
		}
		for end := row + s.Rows; row < end; row++ {
			dup := d.events.seen(d.keyOf(batch, row), epoch)
			kept.add(row, row+1, dup || repeated)
		}
	}
	return kept.rows
}

// remember is filter for an entry whose decision nobody asks for. The batch may be nil
// without a dedupe key.
func (d *duplicates) remember(epoch event.Epoch, batch *event.Batch, segments []Segment) {
	for _, s := range segments {
		if s.Key != (Key{}) {
			d.requests.seen(s.Key, epoch)
		}
	}
	if d.events != nil {
		for row := range batch.Rows {
			d.events.seen(d.keyOf(batch, row), epoch)
		}
	}
}

// keep lists the rows that count, from the first dropped row on: before, it is nil.
type keep struct {
	rows  []uint32
	total int // rows of the entry
}

// add takes the next rows from..to.
func (k *keep) add(from, to int, drop bool) {
	if drop {
		if k.rows == nil {
			k.rows = make([]uint32, 0, k.total)
			k.fill(0, from)
		}
		return
	}
	if k.rows != nil {
		k.fill(from, to)
	}
}

func (k *keep) fill(from, to int) {
	for r := from; r < to; r++ {
		k.rows = append(k.rows, uint32(r))
	}
}

// The key of SipHash. It is no secret and never changes: all tails must agree.
const sipKey0, sipKey1 = 0x6d696c6c72616365, 0x6465647570653031

// keyOf returns the 128-bit SipHash of a row's key columns. Each value is a mark, 1 for
// null, and if it is not null its bytes: strings after their length, the rest as 8 bytes
// (Bool as one). Floats are equal where their bits are, but for -0, which equals 0.
func (d *duplicates) keyOf(b *event.Batch, row int) Key {
	buf := d.buf[:0]
	for _, c := range d.columns {
		v := &b.Columns[c]
		if v.Null(row) {
			buf = append(buf, 1)
			continue
		}
		buf = append(buf, 0)
		switch v.Type.Kind {
		case event.Bool:
			buf = append(buf, v.U8[row])
		case event.UInt64:
			buf = binary.LittleEndian.AppendUint64(buf, v.U64[row])
		case event.Float64:
			buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(v.F64[row]+0))
		case event.String:
			s := v.Str.At(row)
			buf = binary.AppendUvarint(buf, uint64(len(s)))
			buf = append(buf, s...)
		default:
			buf = binary.LittleEndian.AppendUint64(buf, uint64(v.I64[row]))
		}
	}
	d.buf = buf
	lo, hi := siphash.Hash128(sipKey0, sipKey1, buf)
	var k Key
	binary.LittleEndian.PutUint64(k[:8], lo)
	binary.LittleEndian.PutUint64(k[8:], hi)
	return k
}

// recent remembers in which epoch each key was last seen, for a window of whole epochs.
// Keys live in two maps: the current takes all that is seen within one window, and the
// previous, one window older, is dropped whole when the current is full of age.
type recent struct {
	window            event.Epoch
	start             event.Epoch // first epoch of current
	current, previous map[Key]event.Epoch
}

func newRecent(window event.Epoch) *recent {
	return &recent{window: window, start: event.NoEpoch, current: map[Key]event.Epoch{}}
}

// seen notes the key at an epoch, which never decreases from call to call, and reports
// whether it occurred within the window before.
func (r *recent) seen(k Key, epoch event.Epoch) bool {
	if epoch > r.start+r.window {
		// All of previous is older than the window: epochs before start.
		r.previous, r.current, r.start = r.current, make(map[Key]event.Epoch, len(r.current)), epoch
	}
	last, ok := r.current[k]
	if !ok {
		last, ok = r.previous[k]
	}
	r.current[k] = epoch
	return ok && last >= epoch-r.window
}
