package auth

import (
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/millrace/millrace/internal/problem"
)

// maxCallers bounds the callers whose rates are kept, at about 200 bytes each. Of more
// than twice as many, those that were not heard of longest begin anew.
const maxCallers = 10_000

// limits keeps a token bucket for each caller, in two generations: a caller that is heard
// of moves into the young one, and when that is full the old one is dropped.
type limits struct {
	limit rate.Limit
	burst int

	mu         sync.Mutex
	young, old map[string]*rate.Limiter
}

func newLimits(limit rate.Limit, burst int) *limits {
	return &limits{limit: limit, burst: burst, young: map[string]*rate.Limiter{}}
}

// take counts a request of a caller; the problem is 429 with the time to wait.
func (l *limits) take(caller string) error {
	if l.limit == 0 {
		return nil
	}
	r := l.bucket(caller).Reserve()
	wait := r.Delay()
	if wait == 0 {
		return nil
	}
	r.Cancel() // a refused request takes nothing
	p := problem.New(http.StatusTooManyRequests, "rate-limit", "there are more requests than this caller may send (rate.requests, rate.burst)",
		"try again after the time in Retry-After, and send more in each request")
	p.RetryAfter = max(wait, time.Second)
	return p
}

func (l *limits) bucket(caller string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.young[caller]
	if b != nil {
		return b
	}
	if b = l.old[caller]; b == nil {
		b = rate.NewLimiter(l.limit, l.burst)
	}
	if len(l.young) >= maxCallers {
		l.old, l.young = l.young, map[string]*rate.Limiter{}
	}
	l.young[caller] = b
	return b
}
