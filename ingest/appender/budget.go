package appender

import (
	"fmt"
	"sync"

	"github.com/millrace/millrace/internal/problem"
)

// Budget bounds the bytes of all requests being worked on, of every stream. It is safe
// for concurrent use.
type Budget struct {
	max int64

	mu   sync.Mutex
	used int64
}

// NewBudget returns a budget of max bytes.
func NewBudget(max int64) *Budget { return &Budget{max: max} }

// Used returns the bytes reserved now.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// Reserve returns an empty reservation. It is used by one goroutine at a time.
func (b *Budget) Reserve() *Reservation { return &Reservation{budget: b} }

// Reservation is one request's share of a budget.
type Reservation struct {
	budget *Budget
	bytes  int64
}

// Resize makes the reservation n bytes large. Where the budget has no room it fails with
// a busy problem and changes nothing; a reservation that is alone always has room, so
// that a request over the whole budget is slow but not impossible.
func (r *Reservation) Resize(n int64) error {
	b := r.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	others := b.used - r.bytes
	if n > r.bytes && others > 0 && others+n > b.max {
		return problem.Busy(fmt.Sprintf("requests of %d bytes are being worked on, the limit is %d", b.used, b.max), retryAfter)
	}
	b.used += n - r.bytes
	r.bytes = n
	return nil
}

// Release gives the reservation back; more than once is harmless.
func (r *Reservation) Release() { _ = r.Resize(0) } // shrinking never fails
