package merge

import "sync"

// Progress remembers how far the answers about each view have reached, so that the next
// one does not step back in time while lost speed state is being rebuilt. A view takes a
// few bytes, so that dropped ones may stay. It is safe for concurrent use.
type Progress struct {
	mu     sync.Mutex
	newest map[string][]uint64 // last entry in an answer, by view id and partition
}

// NewProgress returns a Progress of no answers.
func NewProgress() *Progress { return &Progress{newest: map[string][]uint64{}} }

// Behind reports whether positions, by partition, reach less far than an earlier answer.
func (p *Progress) Behind(view string, positions []uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for partition, newest := range p.newest[view] {
		if positions[partition] < newest {
			return true
		}
	}
	return false
}

// Note remembers the positions that an answer reaches.
func (p *Progress) Note(view string, positions []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.newest[view] == nil {
		p.newest[view] = make([]uint64, len(positions))
	}
	for partition, seq := range positions {
		p.newest[view][partition] = max(p.newest[view][partition], seq)
	}
}
