package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/millrace/millrace/internal/problem"
)

const defaultURL = "http://127.0.0.1:8080"

// client speaks to a server.
type client struct {
	url  string
	http *http.Client
}

// clientFlag registers --url; the returned function gives the client after parsing.
func clientFlag(fs *flag.FlagSet) func() *client {
	address := os.Getenv("MILLRACE_URL")
	if address == "" {
		address = defaultURL
	}
	fs.StringVar(&address, "url", address, "address of the server")
	return func() *client { return &client{strings.TrimRight(address, "/"), http.DefaultClient} }
}

// do sends a request and returns its reply where the status is a success; a problem
// becomes an error.
func (c *client) do(ctx context.Context, method, path, contentType string, body io.Reader, header ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	reply, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w (is the server up? start it with: millrace up)", err)
	}
	if reply.StatusCode < 300 {
		return reply, nil
	}
	defer reply.Body.Close()
	return nil, readProblem(reply)
}

// readProblem turns an answer of no success into an error.
func readProblem(reply *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	p := &problem.Problem{}
	if json.Unmarshal(text, p) != nil || p.Detail == "" {
		return fmt.Errorf("%s: %s", reply.Status, bytes.TrimSpace(text))
	}
	p.Status = reply.StatusCode
	if p.Line > 0 {
		p.Detail = fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.Detail)
	}
	return p
}

// json sends a request and decodes its JSON answer.
func (c *client) json(ctx context.Context, method, path string, into any) error {
	reply, err := c.do(ctx, method, path, "", nil)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	return json.NewDecoder(reply.Body).Decode(into)
}

// sql runs statements; the caller closes the answer.
func (c *client) sql(ctx context.Context, text, format string) (io.ReadCloser, error) {
	reply, err := c.do(ctx, http.MethodPost, "/v1/sql?format="+url.QueryEscape(format), "text/plain", strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	return reply.Body, nil
}
