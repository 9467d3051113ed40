// Package rate measures how much happens in a second, over a sliding window.
//
// The one invariant: nothing runs in the background. Who counts adds to a bucket of the
// present second, and who looks adds the buckets up, so that a meter which nobody looks at
// costs an addition.
package rate

import (
	"slices"
	"sync"
	"time"
)

// windowSeconds is how far a Meter looks back: long enough that requests which come once a
// second give an even rate, short enough that a person sees a change as it happens.
const windowSeconds = 5

// Meter counts events. The zero Meter is ready; a nil one counts nothing. It is safe for
// concurrent use.
type Meter struct {
	mu      sync.Mutex
	total   int64
	counts  [windowSeconds + 1]int64 // by second; one more than the window, for the present one
	present int64                    // the second that was counted in last
}

// Add counts n events that happen now.
func (m *Meter) Add(n int) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(time.Now().Unix())
	m.counts[m.present%int64(len(m.counts))] += int64(n)
	m.total += int64(n)
}

// Total returns how many events were counted in all.
func (m *Meter) Total() int64 {
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total
}

// PerSecond returns the mean rate of the last whole seconds of the window. The present
// second is left out, as it is not over.
func (m *Meter) PerSecond() float64 {
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(time.Now().Unix())
	var sum int64
	for i, n := range m.counts {
		if int64(i) != m.present%int64(len(m.counts)) {
			sum += n
		}
	}
	return float64(sum) / windowSeconds
}

// forget empties the buckets of the seconds since the last count. A clock that was set
// back goes on in the second where it was.
func (m *Meter) forget(now int64) {
	for missed := min(now-m.present, int64(len(m.counts))); missed > 0; missed-- {
		m.counts[(now-missed+1)%int64(len(m.counts))] = 0
	}
	m.present = max(m.present, now)
}

const (
	// keptDurations bounds the memory of Durations; at higher rates its window is shorter.
	keptDurations = 2048
	// durationWindow is how far Durations looks back.
	durationWindow = time.Minute
)

// Durations are the newest durations of something, at most a minute old. The zero value is
// ready. It is safe for concurrent use.
type Durations struct {
	mu   sync.Mutex
	ring [keptDurations]struct {
		at   time.Time
		took time.Duration
	}
	next int
}

// Observe adds one that ends now.
func (d *Durations) Observe(took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ring[d.next].at, d.ring[d.next].took = time.Now(), took
	d.next = (d.next + 1) % len(d.ring)
}

// Quantile returns the smallest duration that at least a share q, from 0 to 1, of the kept
// ones do not exceed; false where there is none.
func (d *Durations) Quantile(q float64) (time.Duration, bool) {
	d.mu.Lock()
	var took []time.Duration
	since := time.Now().Add(-durationWindow)
	for _, r := range d.ring {
		if r.at.After(since) {
			took = append(took, r.took)
		}
	}
	d.mu.Unlock()
	if len(took) == 0 {
		return 0, false
	}
	slices.Sort(took)
	at := int(q * float64(len(took)))
	return took[min(at, len(took)-1)], true
}
