package clickhouse

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"

	"github.com/millrace/millrace/internal/event"
)

// Codes of ClickHouse that say what became of a session.
const (
	// CodeSessionNotFound is the refusal of a session that the server does not have: it
	// was started again, or the session was idle for too long.
	CodeSessionNotFound = 372
	// codeSessionLocked is the refusal of a session while another request runs in it.
	codeSessionLocked = 373
)

// sessionIdleSeconds is how long the server keeps a session between two statements: a view
// that is waited for comes in between.
const sessionIdleSeconds = 300

// Session is a session of ClickHouse: it has temporary tables of its own, which no other
// session sees and which end with it. It is not safe for concurrent use, is not retried
// (the tables would be missing), and needs HTTP. The caller must Close it.
type Session struct {
	c     *Client
	id    string
	began bool // the server knows it
	asked bool // the server closes it by itself
}

// NewSession returns a session; the first statement opens it.
func (c *Client) NewSession() *Session { return &Session{c: c, id: "millrace-" + rand.Text()} }

// context returns a context whose statements run in the session. Once it is open it must
// still be there: a server that was started again would open an empty one.
func (s *Session) context(ctx context.Context, more map[string]any) context.Context {
	settings := map[string]any{"session_id": s.id, "session_timeout": sessionIdleSeconds}
	if s.began {
		settings["session_check"] = 1
	}
	maps.Copy(settings, more)
	s.began = true
	return WithSettings(ctx, settings)
}

// Exec runs a statement without a result.
func (s *Session) Exec(ctx context.Context, query string) error {
	return wrap(ctx, "execute statement", s.c.conn.Exec(s.context(ctx, nil), query))
}

// Insert writes a batch into a table, as Client.Insert does.
func (s *Session) Insert(ctx context.Context, table string, b *event.Batch) error {
	return s.c.Insert(s.context(ctx, nil), table, b)
}

// Question is the one query that a session answers for a caller.
type Question struct {
	Text     string // must not name a format
	Format   string // ClickHouse's name
	Revision uint64 // of Native blocks; 0 is the format as it is in a file
	Settings map[string]string
	Params   map[string]string // values of {name:Type} places, in ClickHouse's text form
	QueryID  string            // "" lets ClickHouse choose
}

// RowsTrailer is the HTTP trailer by which the embedded engine says how many rows a whole
// answer has. A server of ClickHouse sends its counts before the answer, where it has only
// begun to count.
const RowsTrailer = "X-Millrace-Rows"

// Reply is an answer as it comes. An error after the first bytes comes from Body.Read.
// Closing Body ends the query.
type Reply struct {
	Body     io.ReadCloser
	Header   http.Header
	response *http.Response
}

// Rows returns how many rows the answer has, once Body was read to its end; 0 before. Of an
// external server it is not known, and 0.
func (r *Reply) Rows() int64 {
	n, err := strconv.ParseInt(r.response.Trailer.Get(RowsTrailer), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Ask runs a query for the last time in the session: read only, whatever its text says or
// sets, and the session ends with it. Cancelling ctx ends it.
func (s *Session) Ask(ctx context.Context, q Question) (*Reply, error) {
	settings := map[string]any{}
	for name, value := range q.Settings {
		settings[name] = value
	}
	maps.Copy(settings, map[string]any{"readonly": 1, "close_session": 1, "cancel_http_readonly_queries_on_client_close": 1})
	if q.QueryID != "" {
		settings["query_id"] = q.QueryID
	}
	call := s.context(ctx, settings)
	if len(q.Params) > 0 {
		call = WithParameters(call, q.Params)
	}
	x := &exchange{revision: q.Revision}
	s.asked = true
	body, err := s.c.conn.QueryFormat(context.WithValue(call, exchangeKey{}, x), q.Format, q.Text)
	if err != nil {
		s.asked = x.response != nil
		return nil, wrap(ctx, "query", err)
	}
	return &Reply{Body: &rawResult{ReadCloser: body, ctx: ctx}, Header: x.response.Header, response: x.response}, nil
}

// Close ends the session, and with it its tables. It is safe to call twice.
func (s *Session) Close(ctx context.Context) error {
	if !s.began || s.asked {
		return nil
	}
	s.asked = true
	err := wrap(ctx, "close session", s.c.conn.Exec(s.context(ctx, map[string]any{"close_session": 1}), "SELECT 1"))
	var refused *Error
	if errors.As(err, &refused) && (refused.Code == CodeSessionNotFound || refused.Code == codeSessionLocked) {
		return nil // gone already, or about to: the request that runs in it closes it
	}
	return err
}
