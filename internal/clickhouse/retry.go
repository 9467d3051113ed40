package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
)

const (
	// attempts of a statement whose connection breaks: together with the waits between
	// them about six seconds, several restarts of the embedded engine.
	attempts   = 8
	firstDelay = 50 * time.Millisecond
	maxDelay   = 2 * time.Second
	// deadlineSlack is how far ahead of a context's deadline a timeout still counts as that
	// deadline: the connection's clock may be this much ahead of the context's.
	deadlineSlack = 10 * time.Millisecond
)

// retry runs f again while its error is of a kind that the next attempt may not meet.
func retry(ctx context.Context, again func(error) bool, f func() error) error {
	delay := firstDelay
	for n := 1; ; n++ {
		err := f()
		if err == nil || n == attempts || ctx.Err() != nil || !again(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(delay):
		}
		delay = min(2*delay, maxDelay)
	}
}

// broken reports whether the connection failed, rather than the statement.
func broken(err error) bool {
	var refused *ch.Exception
	if errors.As(err, &refused) {
		return false
	}
	for _, cause := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.ECONNREFUSED, syscall.EPIPE} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

// notSent reports whether the statement cannot have reached ClickHouse.
func notSent(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// wrap says what failed and turns ClickHouse's refusals into *Error.
func wrap(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	var refused *ch.Exception
	if errors.As(err, &refused) {
		return fmt.Errorf("clickhouse: %s: %w", what, &Error{Code: int(refused.Code), Message: refused.Message})
	}
	cause := context.Cause(ctx)
	if cause == nil && outOfTime(ctx, err) {
		cause = context.DeadlineExceeded
	}
	if cause != nil && !errors.Is(err, cause) {
		// The driver reports a cancelled call as whatever it was doing at the time.
		return fmt.Errorf("clickhouse: %s: %w (%w)", what, cause, err)
	}
	return fmt.Errorf("clickhouse: %s: %w", what, err)
}

// outOfTime reports whether err is the end of ctx's time that the connection, which has
// the same deadline, noticed before ctx itself did.
func outOfTime(ctx context.Context, err error) bool {
	deadline, ok := ctx.Deadline()
	var timeout net.Error
	return ok && time.Until(deadline) < deadlineSlack && errors.As(err, &timeout) && timeout.Timeout()
}
