package query

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/serving/query/vet"
)

const (
	// holdBytes of an answer are held back before any of it is passed on, so that what
	// fails early fails whole: most answers are shorter.
	holdBytes = 256 << 10
	// cleanupTime bounds what is done for a query that has ended.
	cleanupTime = 10 * time.Second
	// spillBytes is how much of one query the engine may put on disk.
	spillBytes = 8 << 30
)

// errTime is the cause of a context that ended at the limit of time.
var errTime = errors.New("limit of time")

// job is one query under way and what it holds.
type job struct {
	x      *Executor
	limits Limits
	ctx    context.Context // ends with the query, at the latest at its limit of time
	cancel context.CancelFunc

	mu      sync.Mutex
	undo    []func() // what gives back what it holds, the last first; nil once it has ended
	closed  bool
	sources []Source
}

// hold remembers what gives something back, or gives it back at once where the job has
// ended meanwhile.
func (j *job) hold(undo func()) {
	j.mu.Lock()
	closed := j.closed
	if !closed {
		j.undo = append(j.undo, undo)
	}
	j.mu.Unlock()
	if closed {
		undo()
	}
}

// close gives back everything, once.
func (j *job) close() {
	j.mu.Lock()
	undo := j.undo
	j.undo, j.closed = nil, true
	j.mu.Unlock()
	for _, f := range slices.Backward(undo) {
		f()
	}
}

// start begins a job: it waits for the caller's turn.
func (x *Executor) start(ctx context.Context) (*job, error) {
	p := access.From(ctx)
	j := &job{x: x, limits: x.Limits.For(p)}
	release, err := x.acquire(ctx, p, j.limits)
	if err != nil {
		return nil, err
	}
	j.hold(release)
	j.ctx, j.cancel = context.WithTimeoutCause(ctx, j.limits.Time, errTime)
	j.hold(j.cancel)
	return j, nil
}

// selectRows runs a SELECT.
func (x *Executor) selectRows(ctx context.Context, r Request, text string) (*Response, error) {
	p := access.From(ctx)
	if err := require(p, access.Query, "to run SELECT"); err != nil {
		return nil, err
	}
	if x.Engine == nil {
		return nil, problem.New(http.StatusNotImplemented, "no-query-engine", "no engine runs queries: SELECT needs ClickHouse over HTTP, or the embedded engine",
			"give clickhouse.dsn as http:// or https://, or fetch the engine: millrace engine fetch; the log says what is missing")
	}
	j, err := x.start(ctx)
	if err != nil {
		return nil, err
	}
	response, err := j.selectRows(r, text, p)
	if err != nil {
		err = j.problem(err) // before the job's context is cancelled with the rest
		j.close()
		return nil, err
	}
	return response, nil
}

func (j *job) selectRows(r Request, text string, p access.Principal) (*Response, error) {
	approved, err := vet.Select(j.ctx, j.x.Engine.Parser, vet.Query{
		Text: text, Params: r.Params, MayRead: func(name string) bool { return j.x.mayRead(p, name) },
		Databases: databases, System: systemTables, Known: j.x.known(p), Constants: constants(p),
	})
	if err != nil {
		return nil, err
	}
	session := j.session()
	for _, name := range approved.Tables {
		if err := j.table(session, name, text, r.Wait); err != nil {
			return nil, err
		}
	}
	for _, name := range approved.System {
		if err := j.systemTable(session, p, name); err != nil {
			return nil, err
		}
	}
	return j.ask(session, r, approved.Text, "select")
}

// revision is the revision of ClickHouse's protocol that clients are told: that of the
// release whose engine is embedded.
const revision = 54490

// constants are the caller's own values, as SQL, of functions that tell about a session
// or its server, whose own answers tell too much.
func constants(p access.Principal) map[string]string {
	server := clickhouse.QuoteString("millrace")
	values := map[string]string{
		"displayname": server, "hostname": server, "fqdn": server, "revision": "toUInt32(" + strconv.Itoa(revision) + ")",
	}
	for _, name := range []string{"currentdatabase", "current_database", "database", "schema"} {
		values[name] = clickhouse.QuoteString(Database)
	}
	for _, name := range []string{"currentuser", "current_user", "user", "session_user"} {
		values[name] = clickhouse.QuoteString(p.Name)
	}
	return values
}

// session opens a session of the engine that ends with the job.
func (j *job) session() *clickhouse.Session {
	session := j.x.Engine.Sessions.NewSession()
	j.hold(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(j.ctx), cleanupTime)
		defer cancel()
		if err := session.Close(ctx); err != nil {
			j.x.Log.Warn("close session of a query", "error", err)
		}
	})
	return session
}

// ask runs a text in the session for the last time, and returns its answer once the first
// bytes are there. The job ends with the response's body, or with the job's context: a
// caller that stops reading does not hold the engine beyond the limit of time.
func (j *job) ask(session *clickhouse.Session, r Request, text, statement string) (*Response, error) {
	settings := j.settings(r.Settings)
	reply, err := session.Ask(j.ctx, clickhouse.Question{
		Text: text, Format: r.Format, Revision: r.Revision, Settings: settings, Params: r.Params, QueryID: r.QueryID,
	})
	if err != nil {
		return nil, err
	}
	body := &answerBody{job: j, reply: reply.Body}
	rows := func() int64 {
		body.mu.Lock()
		defer body.mu.Unlock()
		return reply.Rows()
	}
	j.hold(body.end)
	head := make([]byte, holdBytes)
	n, err := io.ReadFull(body, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	body.head = bytes.NewReader(head[:n])
	body.stop = context.AfterFunc(j.ctx, j.close)
	contentType := reply.Header.Get("Content-Type")
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	header := http.Header{}
	for name, values := range reply.Header {
		if len(name) > len("X-Clickhouse-") && name[:len("X-Clickhouse-")] == "X-Clickhouse-" && name != "X-Clickhouse-Exception-Tag" {
			header[name] = values
		}
	}
	return &Response{Body: body, Format: r.Format, ContentType: contentType, Header: header, Sources: j.sources, Statement: statement, Rows: rows}, nil
}

// settings are what a query runs with: the caller's, under the limits.
func (j *job) settings(wanted map[string]string) map[string]string {
	settings := map[string]string{
		"output_format_json_quote_64bit_integers": "0", "output_format_json_escape_forward_slashes": "0", "output_format_write_statistics": "0",
		"max_temporary_data_on_disk_size_for_query": strconv.Itoa(spillBytes),
	}
	for name, value := range wanted {
		if !ignoredSettings[name] {
			settings[name] = value
		}
	}
	for name, limit := range map[string]int64{"max_result_rows": j.limits.Rows, "max_result_bytes": j.limits.Bytes, "max_memory_usage": j.limits.MemoryBytes} {
		if asked, err := strconv.ParseInt(settings[name], 10, 64); err != nil || asked <= 0 || asked > limit {
			settings[name] = strconv.FormatInt(limit, 10)
		}
	}
	return settings
}

// answerBody is the body of a response.
type answerBody struct {
	job  *job
	head *bytes.Reader // read already; nil while it is being read
	stop func() bool

	mu    sync.Mutex // the job's end does not meet a Read under way
	reply io.ReadCloser
	sent  int64 // bytes read from reply
	whole bool  // reply has been read to its end
	ended bool
}

// Read reads the answer; its errors are the caller's to see.
func (b *answerBody) Read(p []byte) (int, error) {
	if b.head != nil && b.head.Len() > 0 {
		return b.head.Read(p)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return 0, b.job.problem(errClosed)
	}
	n, err := b.reply.Read(p)
	b.sent += int64(n)
	b.whole = errors.Is(err, io.EOF)
	if err != nil && !b.whole {
		return n, b.job.problem(err)
	}
	if b.sent > b.job.limits.Bytes {
		return 0, b.job.limits.tooManyBytes()
	}
	return n, err
}

var errClosed = errors.New("read answer: it is closed")

// Close ends the query.
func (b *answerBody) Close() error {
	b.stop()
	b.job.close()
	return nil
}

// end closes the engine's reply. Where that has not been read whole its query is cancelled
// first: closing waits for a little more of it.
func (b *answerBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.whole {
		b.job.cancel()
	}
	b.ended = true
	_ = b.reply.Close() // its error, if any, came from Read
}
