package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"
)

// unnoticed is a context whose own timer has not fired yet.
type unnoticed struct {
	context.Context
	deadline time.Time
}

func (c unnoticed) Deadline() (time.Time, bool) { return c.deadline, true }

func TestTimeoutBeforeTheContextNotices(t *testing.T) {
	past, later := time.Now().Add(-time.Millisecond), time.Now().Add(time.Hour)
	timeout := fmt.Errorf("read block: %w", &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded})
	for _, tc := range []struct {
		name string
		ctx  context.Context
		err  error
		want bool // whether it is the context's deadline
	}{
		{"timeout at the deadline", unnoticed{t.Context(), past}, timeout, true},
		{"bare timeout at the deadline", unnoticed{t.Context(), past}, os.ErrDeadlineExceeded, true},
		{"timeout long before the deadline", unnoticed{t.Context(), later}, timeout, false},
		{"timeout without a deadline", t.Context(), timeout, false},
		{"another error at the deadline", unnoticed{t.Context(), past}, os.ErrClosed, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := wrap(tc.ctx, "query", tc.err)
			if got := errors.Is(err, context.DeadlineExceeded); got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("%v: is the deadline: %v, want %v", err, got, tc.want)
			}
		})
	}
}
