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

func (l Limits) tooManyRows() error {
	return problem.New(http.StatusUnprocessableEntity, "too-many-rows",
		fmt.Sprintf("the answer has more rows than the limit of %d (%smax_rows)", l.Rows, l.Prefix), "narrow it by WHERE, or give a LIMIT")
}

func (l Limits) tooManyBytes() error {
	return problem.New(http.StatusUnprocessableEntity, "query-too-heavy",
		fmt.Sprintf("the answer has more bytes than the limit of %d (%smax_bytes)", l.Bytes, l.Prefix), "narrow it by WHERE, or give a LIMIT")
}

func (l Limits) tooMuchMemory() error {
	return problem.New(http.StatusUnprocessableEntity, "query-too-heavy",
		fmt.Sprintf("the query needs more memory than the limit of %d bytes (%smax_memory_bytes)", l.MemoryBytes, l.Prefix), "narrow it by WHERE, or group by less")
}

func (l Limits) viewTooLarge(view string, rows int) error {
	return problem.New(http.StatusUnprocessableEntity, "query-too-heavy",
		fmt.Sprintf("view %s has %d rows, more than a query may read (%smax_view_rows is %d)", view, rows, l.Prefix, l.ViewRows), "ask the view's own API, or narrow it by WHERE on its group columns")
}
