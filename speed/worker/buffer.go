package worker

import (
	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/speed/redisview"
)

// keptBufferBytes is the most memory that a buffer keeps between two flushes, so that
// one large flush does not hold memory for ever.
const keptBufferBytes = 2 * flushBytes

// buffer holds the changed partials of one flush in one piece of memory, which the next
// flush uses again.
type buffer struct {
	data     []byte
	ends     []int // of key and states of each partial in data, by turns
	partials []redisview.Partial
}

// fill replaces the content by the changed groups of the table.
func (b *buffer) fill(t *agg.Table) {
	if cap(b.data) > keptBufferBytes {
		*b = buffer{}
	}
	b.data, b.ends, b.partials = b.data[:0], b.ends[:0], b.partials[:0]
	for _, g := range t.Dirty() {
		b.data = t.AppendKey(b.data, g)
		b.ends = append(b.ends, len(b.data))
		b.data = t.AppendPartial(b.data, g)
		b.ends = append(b.ends, len(b.data))
	}
	from := 0 // only now, since data may have moved while it grew
	for i := 0; i < len(b.ends); i += 2 {
		key, states := b.ends[i], b.ends[i+1]
		b.partials = append(b.partials, redisview.Partial{Key: b.data[from:key], States: b.data[key:states]})
		from = states
	}
}
