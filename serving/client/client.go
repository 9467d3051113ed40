// Package client asks a Millrace server for Go programs: events in, views, SQL,
// leaderboards and administration out. The command millrace speaks through it and through
// nothing else.
//
// The one invariant: an answer that a method returns without an error is whole, and a
// request that changes something is repeated only where the server can tell the
// repetition from a second request.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options of a Client. The zero value is fit for a server on loopback.
type Options struct {
	// Token is sent with every request, as Authorization: Bearer. Empty: none.
	Token string
	// HTTP sends the requests; http.DefaultClient where nil. Its timeout, where it has
	// one, ends long answers too: a deadline in the context is the better choice.
	HTTP *http.Client
	// UserAgent names the program; "millrace-go" where empty.
	UserAgent string
	// Retries is how often a request that may be repeated is sent again: one that reads,
	// or appends with a key. 0 is DefaultRetries, less is none.
	Retries int
}

// The limits of the package.
const (
	// DefaultRetries outlast a restart of a part of the server, some seconds in all.
	DefaultRetries = 5
	// MaxRetryAfter is the longest wait that a server may ask for before a repetition. A
	// longer one is an answer for the caller, who knows whether it is worth waiting.
	MaxRetryAfter = 30 * time.Second
	// maxErrorBytes is how much of an answer of no success is read: far beyond what a
	// problem takes, little enough for a server that is something else.
	maxErrorBytes = 1 << 20
	// maxObjectBytes bounds an answer that is one JSON object, as opposed to rows.
	maxObjectBytes = 64 << 20
)

// Client asks one server. It is safe for concurrent use, and needs no closing.
type Client struct {
	base    string // without a slash at the end
	options Options
}

// New returns a client of the server at an address such as http://127.0.0.1:8080. Nothing
// is sent yet.
func New(address string, o Options) (*Client, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("address of the server: %w", err)
	case (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return nil, fmt.Errorf("address of the server: %q is not one such as http://127.0.0.1:8080", address)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("address of the server: it has a user, a query or a fragment; give scheme, host and port, and the token apart")
	}
	if strings.ContainsAny(o.Token, " \t\r\n") {
		return nil, errors.New("token: it has white space in it; give the mr_… text alone")
	}
	if o.HTTP == nil {
		o.HTTP = http.DefaultClient
	}
	if o.UserAgent == "" {
		o.UserAgent = "millrace-go"
	}
	if o.Retries == 0 {
		o.Retries = DefaultRetries
	}
	return &Client{strings.TrimRight(address, "/"), o}, nil
}

// Address returns the address of the server, without a slash at the end.
func (c *Client) Address() string { return c.base }

// call is one request before it is sent.
type call struct {
	method, path string // path: escaped, from the slash on
	query        url.Values
	header       http.Header
	body         *payload // nil: none
	repeatable   bool     // a repetition does no harm
}

// open sends a call, again where it may be, and returns the answer of success, whose body
// the caller closes. Any other answer is an error.
func (c *Client) open(ctx context.Context, r call) (*http.Response, error) {
	for try := 0; ; try++ {
		reply, err := c.send(ctx, r)
		if err == nil {
			return reply, nil
		}
		wait, again := c.again(ctx, &r, err, try)
		if !again {
			return nil, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		case <-timer.C:
		}
	}
}

// send sends a call once.
func (c *Client) send(ctx context.Context, r call) (*http.Response, error) {
	address := c.base + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, r.method, address, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	for name, values := range r.header {
		request.Header[name] = values
	}
	request.Header.Set("User-Agent", c.options.UserAgent)
	if c.options.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.options.Token)
	}
	if r.body != nil {
		request.Body, request.ContentLength = r.body.open()
	}
	reply, err := c.options.HTTP.Do(request)
	if err != nil {
		return nil, err // a *url.Error: it names method and address
	}
	if reply.StatusCode >= 200 && reply.StatusCode < 300 {
		return reply, nil
	}
	defer reply.Body.Close()
	return nil, readError(reply)
}

// object sends a call and decodes its answer, one JSON object, into what the pointer
// leads to; nil drops it.
func (c *Client) object(ctx context.Context, r call, into any) error {
	reply, err := c.open(ctx, r)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, maxObjectBytes+1))
	switch {
	case err != nil:
		return fmt.Errorf("read answer of %s: %w", r.path, err)
	case len(text) > maxObjectBytes:
		return fmt.Errorf("read answer of %s: it is longer than %d bytes", r.path, maxObjectBytes)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read answer of %s: %w", r.path, err)
	}
	return nil
}

// reading is a call that reads, and so may be repeated.
func reading(path string, query url.Values) call {
	return call{method: http.MethodGet, path: path, query: query, repeatable: true}
}

// look reads the JSON object at a place.
func look[T any](ctx context.Context, c *Client, query url.Values, parts ...string) (*T, error) {
	return ask[T](ctx, c, reading("", query), parts...)
}

// ask sends a call to a place and decodes the JSON object that it answers.
func ask[T any](ctx context.Context, c *Client, r call, parts ...string) (*T, error) {
	path, err := place(parts...)
	if err != nil {
		return nil, err
	}
	r.path = path
	into := new(T)
	if err := c.object(ctx, r, into); err != nil {
		return nil, err
	}
	return into, nil
}

// segment is a name as a part of a path. The dots of "." and ".." are escaped, since a
// server would take them for steps through the path.
func segment(name string) string {
	if name == "." || name == ".." {
		return strings.ReplaceAll(name, ".", "%2E")
	}
	return url.PathEscape(name)
}

// place makes a path of fixed parts and names in turn: place("/v1/views/", view, "/batch").
// An empty name is refused, since the path would be that of something else.
func place(parts ...string) (string, error) {
	var path strings.Builder
	for i, part := range parts {
		if i%2 == 0 {
			path.WriteString(part)
			continue
		}
		if part == "" {
			return "", fmt.Errorf("path %s…: the name is empty", path.String())
		}
		path.WriteString(segment(part))
	}
	return path.String(), nil
}
