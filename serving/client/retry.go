package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	// firstWait is the wait before the first repetition; each later one is twice as long,
	// up to longestWait, so that a server that comes back is not met by everybody at once.
	firstWait   = 100 * time.Millisecond
	longestWait = 3 * time.Second
)

// again tells whether a call that failed is sent once more, and after how long.
func (c *Client) again(ctx context.Context, r *call, failure error, try int) (time.Duration, bool) {
	if !r.repeatable || try >= c.options.Retries || ctx.Err() != nil || (r.body != nil && !r.body.again) {
		return 0, false
	}
	wait := min(firstWait<<min(try, 10), longestWait)
	wait = wait/2 + rand.N(wait/2)
	var e *Error
	if !errors.As(failure, &e) {
		return wait, true // the connection was refused or lost
	}
	switch {
	case e.Status == http.StatusTooManyRequests, e.Status == http.StatusServiceUnavailable, e.Status == http.StatusBadGateway,
		e.Status > 499 && r.body != nil: // events with a key, whose fate the key settles
		return max(wait, e.RetryAfter), e.RetryAfter <= MaxRetryAfter
	}
	return 0, false
}

// payload is the body of a request, which may have to be sent several times.
type payload struct {
	open  func() (body io.ReadCloser, length int64) // length -1: not known
	again bool                                      // open may be called several times
}

// text is a payload of a string.
func text(s string) *payload { return content(bytes.NewReader([]byte(s))) }

// content is a payload of what a reader has from where it stands. One that can be read at
// any place (a file, bytes.Reader, strings.Reader) can be sent again; each try has a view
// of its own, since the try before may still be reading.
func content(body io.Reader) *payload {
	switch b := body.(type) {
	case nil:
		return nil
	case *bytes.Buffer:
		return content(bytes.NewReader(b.Bytes()))
	case interface {
		io.ReaderAt
		io.Seeker
	}:
		start, err := b.Seek(0, io.SeekCurrent)
		if err != nil {
			break // a pipe: a file that cannot be read at any place
		}
		end, err := b.Seek(0, io.SeekEnd)
		if err != nil {
			break
		}
		return &payload{again: true, open: func() (io.ReadCloser, int64) {
			if end <= start {
				return http.NoBody, 0
			}
			return io.NopCloser(io.NewSectionReader(b, start, end-start)), end - start
		}}
	}
	return &payload{open: func() (io.ReadCloser, int64) { return io.NopCloser(body), -1 }}
}
