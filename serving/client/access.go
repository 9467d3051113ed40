package client

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// NewToken says what a token is for.
type NewToken struct {
	Name string `json:"name"` // for people
	Role string `json:"role"` // ingest, read, sql or admin
	// Objects are the streams that an ingest token may append to, or the views, streams
	// and leaderboards that a read or sql token may read; none: all.
	Objects []string `json:"objects,omitempty"`
	// Expires is a span such as "720h" or a time in RFC 3339; empty: never.
	Expires string `json:"expires,omitempty"`
}

// Token describes a token.
type Token struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Role    string     `json:"role"`
	Objects []string   `json:"objects"` // none: all
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires"` // nil: never
	Revoked *time.Time `json:"revoked,omitempty"`
	Used    *time.Time `json:"last_used,omitempty"` // nearly; nil: never
	// Secret is what requests carry. The server tells it once, in the answer of
	// CreateToken, and keeps a hash.
	Secret string `json:"token,omitempty"`
}

// CreateToken makes a token. It is the only time that its Secret is told.
func (c *Client) CreateToken(ctx context.Context, t NewToken) (*Token, error) {
	body, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	made, err := ask[Token](ctx, c, call{
		method: http.MethodPost, header: http.Header{"Content-Type": {"application/json"}}, body: text(string(body)),
	}, "/v1/tokens")
	if err != nil {
		return nil, err
	}
	if made.Secret == "" {
		return nil, errors.New("create token: the server's answer has no token in it")
	}
	return made, nil
}

// Tokens lists the tokens, without their secrets.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) {
	var r struct {
		Tokens []Token `json:"tokens"`
	}
	err := c.object(ctx, reading("/v1/tokens", nil), &r)
	return r.Tokens, err
}

// RevokeToken makes a token worthless from now on.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	path, err := place("/v1/tokens/", id)
	if err != nil {
		return err
	}
	return c.object(ctx, call{method: http.MethodDelete, path: path}, nil)
}

// Principal is who the server takes the client for.
type Principal struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Role    string   `json:"role"`
	Objects []string `json:"objects"` // none: all
}

// WhoAmI asks who the server takes the client for.
func (c *Client) WhoAmI(ctx context.Context) (*Principal, error) {
	return look[Principal](ctx, c, nil, "/v1/whoami")
}

// AuditQuery asks for a part of the audit log.
type AuditQuery struct {
	Limit int       // most entries; 0: the server's default
	Since time.Time // entries from then on; zero: all that are kept
}

// AuditEntry is one administrative act or SQL statement.
type AuditEntry struct {
	Time    time.Time `json:"time"`
	ID      string    `json:"id"`   // of the token of who did it
	Name    string    `json:"name"` // of the token
	Role    string    `json:"role"`
	Address string    `json:"address"` // where the request came from
	Kind    string    `json:"kind"`    // such as sql or token.create
	Text    string    `json:"text"`    // the statement, or what the act was on
	Outcome string    `json:"outcome"` // begun, ok, or the type of the problem
	Rows    int64     `json:"rows"`
	Millis  float64   `json:"ms"` // how long it took; 0 where it has only begun
	// Raw is the entry as it came, with what this version of the package does not know.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the text beside the fields.
func (e *AuditEntry) UnmarshalJSON(text []byte) error {
	type plain AuditEntry
	if err := json.Unmarshal(text, (*plain)(e)); err != nil {
		return err
	}
	e.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// Audit reads the audit log, the newest entry first. An error ends the sequence and is
// its last element.
func (c *Client) Audit(ctx context.Context, q AuditQuery) iter.Seq2[AuditEntry, error] {
	v := url.Values{}
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	return lines[AuditEntry](ctx, c, "/v1/audit", v, nil)
}
