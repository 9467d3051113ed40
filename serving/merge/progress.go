package merge

import "sync"

// progress remembers how far the answers about each view have reached, so that the next
// one does not step back in time while lost speed state is being rebuilt. A view takes a
// few bytes, so that dropped ones may stay.
type progress struct {
	mu     sync.Mutex
	newest map[string][]uint64 // last entry in an answer, by view id and partition
}

// behind reports whether a reading reaches less far than an earlier answer.
func (p *progress) behind(view string, r *reading) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for partition, newest := range p.newest[view] {
		if seq, _ := r.position(partition); seq < newest {
			return true
		}
	}
	return false
}

// note remembers the reading that an answer is made of.
func (p *progress) note(view string, r *reading) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.newest[view] == nil {
		p.newest[view] = make([]uint64, len(r.snapshots))
	}
	for partition := range p.newest[view] {
		seq, _ := r.position(partition)
		p.newest[view][partition] = max(p.newest[view][partition], seq)
	}
}
