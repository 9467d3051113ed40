package stream

import (
	"sync"

	"github.com/millrace/millrace/internal/event"
)

// Cache keeps the most recently decoded entries of one log, so that tails of the same
// partition that run side by side decode each entry once. It is safe for concurrent use;
// a tail waits for another only while that one decodes the very entry both want.
type Cache struct {
	entries int
	mu      sync.Mutex
	rings   map[int][]*cached // by partition; entry seq is at seq modulo entries
}

type cached struct {
	seq      uint64
	once     sync.Once
	batch    *event.Batch
	segments []Segment
	err      error
}

// NewCache returns a cache of the last n entries of each partition.
func NewCache(n int) *Cache {
	return &Cache{entries: max(n, 1), rings: map[int][]*cached{}}
}

// decode returns the decoded entry, shared where it can be. A nil cache just decodes.
func (c *Cache) decode(partition int, e Entry, schema *event.Schema) (*event.Batch, []Segment, error) {
	slot := c.slot(partition, e.Seq)
	if slot == nil {
		return DecodeEntry(e.Payload, schema)
	}
	slot.once.Do(func() {
		slot.batch, slot.segments, slot.err = DecodeEntry(e.Payload, schema)
	})
	return slot.batch, slot.segments, slot.err
}

// slot returns the entry's place, or nil where a newer entry has it: a tail that lags
// must not push out what the others share.
func (c *Cache) slot(partition int, seq uint64) *cached {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ring := c.rings[partition]
	if ring == nil {
		ring = make([]*cached, c.entries)
		c.rings[partition] = ring
	}
	at := &ring[seq%uint64(c.entries)]
	switch {
	case *at == nil || (*at).seq < seq:
		*at = &cached{seq: seq}
	case (*at).seq > seq:
		return nil
	}
	return *at
}
