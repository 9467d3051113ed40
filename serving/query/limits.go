package query

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
)

// Limits are what one query of a role may take. None may be zero.
type Limits struct {
	Rows        int64         // of the answer
	Bytes       int64         // of the answer, before it is written in its format, and as it is sent
	MemoryBytes int64         // of the engine, for one query
	ViewRows    int64         // of one view, merged, that a query reads
	Time        time.Duration // until the last byte of the answer is read
	Concurrency int           // queries at a time, of all callers of the role
	Prefix      string        // of the keys in the configuration: query. or query.admin.
}

// RoleLimits are the limits of each role.
type RoleLimits map[access.Role]Limits

// For returns the limits of a caller; those of SQL where its role has none.
func (l RoleLimits) For(p access.Principal) Limits {
	if limits, ok := l[p.Role]; ok {
		return limits
	}
	return l[access.SQL]
}

// queueTime is how long a query waits for its turn before it is refused: past a short
// burst, waiting only hides that there is too much to do.
const queueTime = time.Second

// acquire waits for the caller's turn, and returns what ends it.
func (x *Executor) acquire(ctx context.Context, p access.Principal, limits Limits) (release func(), err error) {
	slots, ok := x.slots[p.Role]
	if !ok {
		slots = x.slots[access.SQL]
	}
	timer := time.NewTimer(queueTime)
	defer timer.Stop()
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-timer.C:
		busy := problem.New(http.StatusTooManyRequests, "too-many-queries",
			fmt.Sprintf("%d queries are running already, the limit of the role %s (%sconcurrency)", limits.Concurrency, p.Role, limits.Prefix), "try again after the time in Retry-After")
		busy.RetryAfter = time.Second
		return nil, busy
	}
}

// tooLong is the refusal of a query beyond its time.
func (l Limits) tooLong() error {
	return problem.New(http.StatusGatewayTimeout, "query-timeout",
		fmt.Sprintf("the query ran longer than the limit of %s (%stimeout)", l.Time, l.Prefix), "narrow it, or query a view")
}

// tooHeavy is the refusal of a query beyond another limit; what says which, and ends
// before the limit's key.
func tooHeavy(kind, what string, limit int64, key, hint string) error {
	return problem.New(http.StatusUnprocessableEntity, kind, fmt.Sprintf("%s the limit of %d (%s)", what, limit, key), hint)
}

const narrowIt = "narrow it by WHERE, or give a LIMIT"

func (l Limits) tooManyRows() error {
	return tooHeavy("too-many-rows", "the answer has more rows than", l.Rows, l.Prefix+"max_rows", narrowIt)
}

func (l Limits) tooManyBytes() error {
	return tooHeavy("query-too-heavy", "the answer has more bytes than", l.Bytes, l.Prefix+"max_bytes", narrowIt)
}

func (l Limits) tooMuchMemory() error {
	return tooHeavy("query-too-heavy", "the query needs more bytes of memory than", l.MemoryBytes, l.Prefix+"max_memory_bytes", "narrow it by WHERE, or group by less")
}

func (l Limits) viewTooLarge(view string, rows int) error {
	return tooHeavy("query-too-heavy", fmt.Sprintf("view %s has %d rows, more than a query may read:", view, rows), l.ViewRows, l.Prefix+"max_view_rows",
		"ask the view's own API, or narrow it by WHERE on its group columns")
}
