package merge

import (
	"container/list"
	"maps"
	"sync"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/speed/redisview"
)

const (
	// sealedCacheBytes bounds the sealed epochs that are kept between queries.
	sealedCacheBytes = 128 << 20
	// generationCacheBytes bounds the answers of the batch layer kept between queries.
	generationCacheBytes = 128 << 20
	// entryOverhead is the cost of keeping one value, beside its bytes.
	entryOverhead = 64
)

// lru is a cache bounded in bytes that forgets what was used longest ago.
type lru[K comparable, V any] struct {
	mu       sync.Mutex
	capacity int
	size     int
	order    *list.List
	items    map[K]*list.Element
}

type lruItem[K comparable, V any] struct {
	key   K
	value V
	size  int
}

func newLRU[K comparable, V any](capacity int) *lru[K, V] {
	return &lru[K, V]{capacity: capacity, order: list.New(), items: map[K]*list.Element{}}
}

func (c *lru[K, V]) get(key K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[key]
	if !ok {
		return v, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*lruItem[K, V]).value, true
}

// put stores a value unless it is there or too large; forgotten, which may be nil, is
// called for each key that had to go. It reports whether the value was stored.
func (c *lru[K, V]) put(key K, value V, size int, forgotten func(K)) bool {
	size += entryOverhead
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.items[key]; ok || size > c.capacity {
		return false
	}
	c.items[key] = c.order.PushFront(&lruItem[K, V]{key, value, size})
	c.size += size
	for c.size > c.capacity {
		last := c.order.Back()
		item := c.order.Remove(last).(*lruItem[K, V])
		delete(c.items, item.key)
		c.size -= item.size
		if forgotten != nil {
			forgotten(item.key)
		}
	}
	return true
}

// sealedCache keeps the partials of sealed epochs. They follow from the log alone and a
// view id is never used again, so what is kept is right for ever.
type sealedCache struct {
	mu    sync.Mutex
	parts map[partitionKey]map[event.Epoch]redisview.Epoch
	lru   *lru[sealedKey, struct{}]
}

type partitionKey struct {
	view      string
	partition int
}

type sealedKey struct {
	partitionKey
	epoch event.Epoch
}

func newSealedCache(capacity int) *sealedCache {
	return &sealedCache{
		parts: map[partitionKey]map[event.Epoch]redisview.Epoch{},
		lru:   newLRU[sealedKey, struct{}](capacity),
	}
}

// epochs returns the epochs of a partition that are kept.
func (c *sealedCache) epochs(view string, partition int) map[event.Epoch]redisview.Epoch {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.parts[partitionKey{view, partition}])
}

// put keeps a sealed epoch.
func (c *sealedCache) put(view string, partition int, e redisview.Epoch) {
	size := 0
	for _, p := range e.Partials {
		size += len(p.Key) + len(p.States) + entryOverhead
	}
	key := partitionKey{view, partition}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.lru.put(sealedKey{key, e.Epoch}, struct{}{}, size, func(k sealedKey) {
		delete(c.parts[k.partitionKey], k.epoch)
		if len(c.parts[k.partitionKey]) == 0 {
			delete(c.parts, k.partitionKey)
		}
	}) {
		return
	}
	if c.parts[key] == nil {
		c.parts[key] = map[event.Epoch]redisview.Epoch{}
	}
	c.parts[key][e.Epoch] = e
}

// generationCache keeps answers of the batch layer by their SQL, which names view id
// and generation: the rows behind it never change.
type generationCache = lru[string, *event.Batch]

func newGenerationCache(capacity int) *generationCache {
	return newLRU[string, *event.Batch](capacity)
}
