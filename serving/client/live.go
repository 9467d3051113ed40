package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/url"
	"time"
)

// Pulse is how a server does at one moment. It may say more than this package knows: Raw
// is the whole of it.
type Pulse struct {
	At           time.Time       `json:"at"`
	Version      string          `json:"version"`
	UptimeMillis int64           `json:"uptime_ms"`
	Healthy      bool            `json:"healthy"`
	Problems     []Problem       `json:"problems"`
	Steps        Steps           `json:"steps"`
	Streams      []StreamBeat    `json:"streams"`
	Views        []ViewBeat      `json:"views"`
	Boards       []ViewBeat      `json:"boards"`
	Raw          json.RawMessage `json:"-"`
}

// Problem is something that is wrong with a part of the server.
type Problem struct {
	Part   string `json:"part"` // such as redis, or view page_hits
	Detail string `json:"detail"`
}

// StreamBeat is how a stream does.
type StreamBeat struct {
	Name              string  `json:"name"`
	Events            int64   `json:"events"` // since the server started
	EventsPerSecond   float64 `json:"events_per_s"`
	Rejected          int64   `json:"rejected"` // dead letters that wait
	RejectedPerSecond float64 `json:"rejected_per_s"`
	LakeRows          int64   `json:"lake_rows"` // sealed in the lake, ever
	LagMillis         int64   `json:"lag_ms"`
}

// ViewBeat is how a view or leaderboard does.
type ViewBeat struct {
	Name       string     `json:"name"`
	Stream     string     `json:"stream"`
	Generation uint64     `json:"generation"`
	CutTime    *time.Time `json:"cut_time"`
	LagMillis  int64      `json:"lag_ms"`
	Complete   bool       `json:"complete"` // everything acknowledged is in its answers
	NextRun    *time.Time `json:"next_run"`
	State      string     `json:"state"` // ready, backfilling, starting or stalled
}

// Pulses reads how the server does, about every second, until ctx ends, the loop is left or
// the connection is lost, which is an error and the last element.
func (c *Client) Pulses(ctx context.Context) iter.Seq2[*Pulse, error] {
	return follow(ctx, c, "/v1/live", nil, nil, func(text []byte) (*Pulse, error) {
		p := &Pulse{Raw: bytes.Clone(text)}
		return p, json.Unmarshal(text, p)
	})
}

// WatchView queries a view as View does, and again whenever the answer has changed, at most
// once in every (0: the server's default). Where a later answer fails the element is an
// *Error and the sequence goes on; it ends as that of Pulses does. The first failure is
// the only element.
func (c *Client) WatchView(ctx context.Context, view string, q ViewQuery, every time.Duration) iter.Seq2[*Answer, error] {
	path, err := place("/v1/views/", view, "/live")
	return follow(ctx, c, path, withEvery(q.Values(), every), err, func(text []byte) (*Answer, error) {
		rows, err := newRows(io.NopCloser(bytes.NewReader(text)))
		if err != nil {
			return nil, err
		}
		return answer(rows)
	})
}

// WatchTop is WatchView for the best of a leaderboard. The query has no After.
func (c *Client) WatchTop(ctx context.Context, board string, q TopQuery, every time.Duration) iter.Seq2[*Standing, error] {
	path, err := place("/v1/leaderboards/", board, "/live")
	return follow(ctx, c, path, withEvery(q.page(), every), err, func(text []byte) (*Standing, error) {
		s := &Standing{}
		return s, json.Unmarshal(text, s)
	})
}

func withEvery(v url.Values, every time.Duration) url.Values {
	if every != 0 {
		v.Set("every", every.String())
	}
	return v
}

// follow reads a stream of server-sent events and decodes their data.
func follow[T any](ctx context.Context, c *Client, path string, q url.Values, failed error, decode func([]byte) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if failed != nil {
			yield(none, failed)
			return
		}
		reply, err := c.open(ctx, reading(path, q))
		if err != nil {
			yield(none, err)
			return
		}
		defer reply.Body.Close()
		events := bufio.NewScanner(reply.Body)
		events.Buffer(nil, maxEventBytes)
		for {
			name, data, err := readEvent(events)
			if err != nil {
				yield(none, fmt.Errorf("read %s: %w", path, err))
				return
			}
			var value T
			if name == "problem" {
				err = problemOf(data)
			} else if value, err = decode(data); err != nil {
				err = fmt.Errorf("read %s: %w", path, err)
			}
			if !yield(value, err) {
				return
			}
		}
	}
}

// maxEventBytes bounds one event: what a whole answer may be.
const maxEventBytes = maxObjectBytes

// readEvent reads the next event that has data.
func readEvent(lines *bufio.Scanner) (name string, data []byte, err error) {
	size := 0
	for lines.Scan() {
		line := lines.Bytes()
		if size += len(line); size > maxEventBytes {
			return "", nil, fmt.Errorf("an event is longer than %d bytes", maxEventBytes)
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(line) == 0 && data != nil:
			return name, data, nil
		case len(line) == 0:
			name, size = "", 0
		case string(field) == "event":
			name = string(value)
		case string(field) == "data" && data == nil:
			data = append([]byte{}, value...)
		case string(field) == "data":
			data = append(append(data, '\n'), value...)
		}
	}
	if err := lines.Err(); err != nil {
		return "", nil, err
	}
	return "", nil, io.ErrUnexpectedEOF // a stream has no end
}
