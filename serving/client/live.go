package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"time"
)

// Live answers come as the server computes them: at once, and then whenever the answer
// changed. A sequence ends with its context, or with an error of the connection as its
// last element. An *Error after the first answer ends nothing: it says that a later
// answer failed, and others follow.

// LiveView follows the answer of a view. It changes at most once in every, from 200ms to
// a minute; 0 is the server's default.
func (c *Client) LiveView(ctx context.Context, view string, q ViewQuery, every time.Duration) iter.Seq2[*Answer, error] {
	return live(ctx, c, liveParameters(q.Values(), every), "answer", func(text []byte) (*Answer, error) {
		rows, err := newRows(io.NopCloser(bytes.NewReader(text)))
		if err != nil {
			return nil, err
		}
		return answer(rows)
	}, "/v1/views/", view, "/live")
}

// LiveTop follows a page of a leaderboard, as LiveView does a view.
func (c *Client) LiveTop(ctx context.Context, board string, q TopQuery, every time.Duration) iter.Seq2[*Standing, error] {
	return live(ctx, c, liveParameters(q.parameters(), every), "answer", decoded[Standing], "/v1/leaderboards/", board, "/live")
}

// liveParameters are those of a question that is followed; to wait for each answer would
// make no sense.
func liveParameters(v url.Values, every time.Duration) url.Values {
	v.Del("wait")
	if every > 0 {
		v.Set("every", every.String())
	}
	return v
}

func decoded[T any](text []byte) (*T, error) {
	into := new(T)
	if err := json.Unmarshal(text, into); err != nil {
		return nil, err
	}
	return into, nil
}

// live reads the events of one kind of a stream.
func live[T any](ctx context.Context, c *Client, q url.Values, kind string, decode func([]byte) (*T, error), parts ...string) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		path, err := place(parts...)
		if err != nil {
			yield(nil, err)
			return
		}
		reply, err := c.open(ctx, call{method: "GET", path: path, query: q, header: map[string][]string{"Accept": {"text/event-stream"}}, repeatable: true})
		if err != nil {
			yield(nil, err)
			return
		}
		defer reply.Body.Close()
		events := bufio.NewReader(reply.Body)
		for {
			name, text, err := readEvent(events)
			var value *T
			switch {
			case err != nil && ctx.Err() != nil:
				err = ctx.Err()
			case err != nil:
				err = fmt.Errorf("read events of %s: %w", path, err)
			case name == kind:
				if value, err = decode(text); err != nil {
					err = fmt.Errorf("read an event of %s: %w", path, err)
				}
			case name == "problem":
				later := &Error{Offset: -1}
				if err := json.Unmarshal(text, later); err != nil {
					yield(nil, fmt.Errorf("read a problem of %s: %w", path, err))
					return
				}
				if !yield(nil, later) {
					return
				}
				continue
			default:
				continue // a kind of event that this version does not know
			}
			if !yield(value, err) || err != nil {
				return
			}
		}
	}
}

// errEventTooLong says that an event is longer than any answer may be.
var errEventTooLong = fmt.Errorf("an event is longer than %d bytes", maxObjectBytes)

// readEvent reads one server-sent event, by the WHATWG's HTML standard: its name and its data.
// Comments, which keep the connection alive, and events without data are passed over.
func readEvent(r *bufio.Reader) (name string, text []byte, err error) {
	for {
		line, err := readLine(r, maxObjectBytes-len(text))
		if err != nil {
			return "", nil, err
		}
		if len(line) == 0 {
			if text != nil {
				return name, text, nil
			}
			name = ""
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			name = string(value)
		case "data":
			if text != nil {
				text = append(text, '\n')
			}
			text = append(text, value...)
			if text == nil {
				text = []byte{}
			}
		}
	}
}

// readLine reads a line without its end.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > limit:
			return nil, errEventTooLong
		case err == nil:
			return bytes.TrimRight(line, "\r\n"), nil
		}
	}
}
