package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/clickhouse"
)

// insertChunkBytes is how much of an insert's body goes to the engine in one call.
const insertChunkBytes = 256 << 10

// handler speaks ClickHouse's HTTP protocol for one engine.
type handler struct {
	pool     *pool
	sessions *sessions
	secret   string
	onStuck  func()
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/ping":
		_, _ = io.WriteString(w, "Ok.\n")
	case r.URL.Path != "/":
		http.NotFound(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case !h.authorized(r):
		writeError(w, newException(codeAuthentication, "Authentication failed: wrong secret. (AUTHENTICATION_FAILED)"))
	default:
		h.serveStatement(w, r)
	}
}

// authorized compares the password in any of ClickHouse's three places with the secret.
func (h *handler) authorized(r *http.Request) bool {
	password := r.Header.Get("X-ClickHouse-Key")
	if _, basic, ok := r.BasicAuth(); ok {
		password = basic
	}
	if password == "" {
		password = r.URL.Query().Get("password")
	}
	return subtle.ConstantTimeCompare([]byte(password), []byte(h.secret)) == 1
}

func (h *handler) serveStatement(w http.ResponseWriter, r *http.Request) {
	req, err := parseRequest(r)
	if err != nil {
		writeError(w, err)
		return
	}
	ctx := r.Context()
	if req.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, req.timeout, errTimeLimit)
		defer cancel()
	}
	var c *connection
	if req.session != "" {
		c, err = h.sessions.take(ctx, req)
	} else {
		c, err = h.pool.get(ctx, req.set)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	reply := &reply{w: w, req: req}
	h.pool.guard(ctx, c, h.onStuck, func() { err = h.run(ctx, c, req, reply) })
	if req.session != "" {
		h.sessions.give(ctx, req)
	} else {
		// A query that failed may stay in system.processes as long as its session lives.
		h.pool.put(c, req.changes || err != nil)
	}
	if err == nil {
		err = reply.finish()
	}
	if err != nil {
		if errors.Is(context.Cause(ctx), errTimeLimit) {
			err = newException(codeTimeoutExceeded, "Timeout exceeded: the statement ran longer than max_execution_time = %v. (TIMEOUT_EXCEEDED)", req.timeout.Seconds())
		}
		reply.fail(err)
	}
}

var errTimeLimit = errors.New("time limit of the statement")

// run prepares the session and runs the statement on it.
func (h *handler) run(ctx context.Context, c *connection, req *request, reply *reply) error {
	if req.database != "" && req.database != c.database {
		if err := c.exec("USE " + quoteIdentifier(req.database)); err != nil {
			return err
		}
		c.database = req.database
	}
	if req.set != "" && req.set != c.applied {
		if err := c.exec(req.set); err != nil {
			return err
		}
		c.applied = req.set
	}
	switch {
	case req.data != nil:
		return runInsert(c, req)
	case isChunkable(req.format) && mayStream(req.sql):
		return runStream(ctx, c, req, reply)
	}
	return runWhole(c, req, reply)
}

// runWhole runs a statement whose result comes in one piece.
func runWhole(c *connection, req *request, reply *reply) error {
	r, err := c.run(req.statement)
	if err != nil {
		return err
	}
	defer r.destroy()
	return reply.write(r)
}

// runStream runs a query and passes on each chunk as it comes.
func runStream(ctx context.Context, c *connection, req *request, reply *reply) error {
	s, err := c.stream(req.statement)
	if err != nil {
		var e *exception
		if errors.As(err, &e) && e.code == codeBadArguments && strings.Contains(e.text, "Streaming query is not supported") {
			return runWhole(c, req, reply)
		}
		return err
	}
	defer s.close()
	for {
		r, err := s.next()
		if err != nil {
			return err
		}
		if r == nil {
			break
		}
		err = reply.write(r)
		r.destroy()
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return newException(codeQueryCancelled, "Query was cancelled. (QUERY_WAS_CANCELLED)")
		}
	}
	if !reply.started && strings.EqualFold(req.format, "Native") {
		block, err := describe(c, req)
		if err != nil {
			return err
		}
		return reply.send(block)
	}
	return nil
}

// describe builds the empty block of a query without rows: the engine writes nothing at
// all there, where a server sends the columns' names and types.
func describe(c *connection, req *request) ([]byte, error) {
	query := strings.TrimRight(strings.TrimSpace(req.sql), ";")
	if m := trailingFormat.FindStringIndex(query); m != nil {
		query = query[:m[0]]
	}
	r, err := c.run(statement{sql: "DESCRIBE TABLE (\n" + query + "\n)", format: "Native", params: req.params})
	if err != nil {
		return nil, fmt.Errorf("describe empty result: %w", err)
	}
	defer r.destroy()
	return headerBlock(r.bytes(), req.revision)
}

// runInsert passes the body on as the rows of the insert.
func runInsert(c *connection, req *request) error {
	s, err := c.insert(req.statement)
	if err != nil {
		return err
	}
	defer s.close()
	buf := make([]byte, insertChunkBytes)
	for {
		n, err := fill(req.data, buf)
		if e := s.append(buf[:n]); e != nil {
			return insertFailure(s, e)
		}
		if errors.Is(err, io.EOF) {
			return s.done()
		}
		if err != nil {
			// A body that breaks off must not be committed as far as it came.
			return fmt.Errorf("read rows of insert: %w", err)
		}
	}
}

// fill reads until buf is full or the reader ends. Unlike io.ReadFull it keeps the end
// of the body (io.EOF) apart from a body that breaks off (io.ErrUnexpectedEOF).
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}

// insertFailure prefers the reason that ended the insert to the refusal that follows it.
func insertFailure(s *insertStream, refused error) error {
	if err := s.done(); err != nil {
		return err
	}
	return refused
}

func quoteIdentifier(name string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(name) + "`"
}

// setStatement sets all at once, in one order, readonly last: it forbids any change after
// it. It is empty where there is nothing to set.
func setStatement(settings []parameter) string {
	var b strings.Builder
	slices.SortFunc(settings, func(x, y parameter) int {
		return cmp.Or(cmp.Compare(isReadonly(x), isReadonly(y)), cmp.Compare(x.name, y.name))
	})
	for i, s := range settings {
		b.WriteString([]string{"SET ", ", "}[min(i, 1)])
		b.WriteString(s.name + " = '" + strings.NewReplacer("\\", "\\\\", "'", "\\'").Replace(s.value) + "'")
	}
	return b.String()
}

func isReadonly(p parameter) int {
	if p.name == "readonly" {
		return 1
	}
	return 0
}

// reply writes the answer of one request. Nothing is sent before the first rows, so that
// an error up to then is an HTTP error; a later one ends the body in ClickHouse's frame.
type reply struct {
	w       http.ResponseWriter
	req     *request
	tag     string
	started bool
	rows    uint64
	native  nativeEncoder
}

func (r *reply) start() {
	r.started = true
	var tag [8]byte
	_, _ = rand.Read(tag[:])
	r.tag = hex.EncodeToString(tag[:])
	h := r.w.Header()
	h.Set("Content-Type", contentType(r.req.format))
	h.Set("X-ClickHouse-Format", r.req.format)
	h.Set("X-ClickHouse-Timezone", "UTC")
	h.Set("X-ClickHouse-Exception-Tag", r.tag)
	h.Set("Trailer", clickhouse.RowsTrailer)
	if r.req.queryID != "" {
		h.Set("X-ClickHouse-Query-Id", r.req.queryID)
	}
}

// write sends rows in the request's format, at the client's revision if that is Native.
func (r *reply) write(rows *result) error {
	data := rows.bytes()
	r.rows += rows.rows()
	if len(data) == 0 {
		return nil
	}
	if r.req.revision > 0 && strings.EqualFold(r.req.format, "Native") {
		var err error
		if data, err = r.native.encode(data, r.req.revision); err != nil {
			return err
		}
	}
	return r.send(data)
}

// send sends bytes that are what the client expects already.
func (r *reply) send(data []byte) error {
	if !r.started {
		r.start()
	}
	if _, err := r.w.Write(data); err != nil {
		return fmt.Errorf("send rows: %w", err)
	}
	return nil
}

// finish ends a good answer, which may have no rows.
func (r *reply) finish() error {
	if !r.started {
		r.start()
	}
	r.w.Header().Set(clickhouse.RowsTrailer, strconv.FormatUint(r.rows, 10))
	return nil
}

// fail reports an error, after rows if need be.
func (r *reply) fail(err error) {
	if !r.started {
		writeError(r.w, err)
		return
	}
	text := exceptionOf(err).text
	fmt.Fprintf(r.w, "\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", r.tag, text, len(text)+1, r.tag)
	// A client that does not know the frame must not take the body for whole.
	_ = http.NewResponseController(r.w).Flush()
	panic(http.ErrAbortHandler)
}

// writeError answers with an error in ClickHouse's form.
func writeError(w http.ResponseWriter, err error) {
	e := exceptionOf(err)
	w.Header().Set("X-ClickHouse-Exception-Code", fmt.Sprint(e.code))
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	w.WriteHeader(e.status())
	_, _ = io.WriteString(w, e.text+"\n")
}

func exceptionOf(err error) *exception {
	var e *exception
	if errors.As(err, &e) {
		return e
	}
	return newException(codeUnknown, "%v. (UNKNOWN_EXCEPTION)", err)
}
