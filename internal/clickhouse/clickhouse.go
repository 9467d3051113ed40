// Package clickhouse is Millrace's client of ClickHouse, in a server or embedded.
//
// The one invariant: the code above it cannot tell the two apart; both are reached
// through clickhouse-go.
package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/millrace/millrace/internal/event"
)

const (
	// maxConnections of one client; further statements wait for a free one.
	maxConnections = 32
	// answerTimeout is how long a statement may be silent. Over HTTP nothing comes
	// before the first rows, so it must exceed the longest rebuild; the caller's
	// context is what bounds a statement.
	answerTimeout = 24 * time.Hour
)

// Client runs statements on one ClickHouse. It is safe for concurrent use.
//
// Reads are retried where the connection broke under them, as it does when the embedded
// engine restarts; statements that write are retried only where nothing was sent.
type Client struct {
	conn      driver.Conn
	http      bool
	transport *sharedTransport
}

// Column is one result column.
type Column struct {
	Name string
	Type string // as ClickHouse names it
}

// Rows is a result, row by row. The caller must close it.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Columns() []string
	Err() error
	Close() error
}

// Error is a refusal by ClickHouse.
type Error struct {
	Code    int // ClickHouse's own error code
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%s (code %d)", e.Message, e.Code) }

// schemes of an address; the driver takes any other for its native protocol.
var schemes = []string{"http", "https", "clickhouse", "tcp"}

// Open prepares a client by clickhouse-go DSN (http://, https://, clickhouse://). It
// connects at the first statement.
func Open(dsn string) (*Client, error) {
	opts, err := ch.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("open clickhouse: %w", err)
	}
	if scheme, _, _ := strings.Cut(dsn, "://"); !slices.Contains(schemes, scheme) {
		return nil, fmt.Errorf("open clickhouse: scheme %q is none of %v", scheme, schemes)
	}
	if opts.MaxOpenConns == 0 {
		opts.MaxOpenConns = maxConnections
		opts.MaxIdleConns = maxConnections
	}
	if opts.ReadTimeout == 0 {
		opts.ReadTimeout = answerTimeout
	}
	opts.ClientInfo.Products = append(opts.ClientInfo.Products, struct{ Name, Version string }{"millrace", "1"})
	shared := &sharedTransport{}
	opts.TransportFunc = shared.use
	conn, err := ch.Open(opts)
	if err != nil {
		return nil, fmt.Errorf("open clickhouse: %w", err)
	}
	return &Client{conn: conn, http: opts.Protocol == ch.HTTP, transport: shared}, nil
}

// settingsKey finds the settings of WithSettings in a context.
type settingsKey struct{}

// WithSettings returns a context whose statements run with these ClickHouse settings,
// such as max_memory_usage (bytes), besides those that ctx has already. A deadline of
// the context becomes max_execution_time by itself.
func WithSettings(ctx context.Context, settings map[string]any) context.Context {
	merged := ch.Settings{}
	if outer, ok := ctx.Value(settingsKey{}).(ch.Settings); ok {
		maps.Copy(merged, outer)
	}
	maps.Copy(merged, settings)
	// The driver's own context option replaces rather than adds, and hides what is set.
	ctx = context.WithValue(ctx, settingsKey{}, merged)
	return ch.Context(ctx, ch.WithSettings(merged))
}

// WithParameters returns a context whose statements have these values at their
// {name:Type} places, in ClickHouse's text form. Values never become part of the text.
func WithParameters(ctx context.Context, values map[string]string) context.Context {
	return ch.Context(ctx, ch.WithParameters(ch.Parameters(values)))
}

// Exec runs a statement without a result.
func (c *Client) Exec(ctx context.Context, query string) error {
	err := retry(ctx, notSent, func() error { return c.conn.Exec(ctx, query) })
	return wrap(ctx, "execute statement", err)
}

// Query runs a query. Cancelling ctx ends it, in the engine too.
func (c *Client) Query(ctx context.Context, query string) (Rows, error) {
	var rows driver.Rows
	err := retry(ctx, broken, func() (err error) {
		rows, err = c.conn.Query(ctx, query)
		return err
	})
	if err != nil {
		return nil, wrap(ctx, "query", err)
	}
	return &resultRows{Rows: rows, ctx: ctx}, nil
}

// resultRows words errors as the client does.
type resultRows struct {
	driver.Rows
	ctx context.Context
}

func (r *resultRows) Err() error   { return wrap(r.ctx, "read rows", r.Rows.Err()) }
func (r *resultRows) Close() error { return wrap(r.ctx, "read rows", r.Rows.Close()) }

// QueryBatch runs a query and returns its whole result in columns. The types become
// those of package event: every signed integer Int64, every unsigned one UInt64 (so a
// comparison, which is UInt8, is UInt64 too), Bool stays Bool, floats Float64, String and
// FixedString String (the latter with its padding), Date and Date32 Date (in days, the
// latter beyond the range of Date), DateTime DateTime64(0), DateTime64(P) itself; each
// may be Nullable and LowCardinality. Other types are refused: cast them in the query.
func (c *Client) QueryBatch(ctx context.Context, query string) (*event.Batch, error) {
	var batch *event.Batch
	err := retry(ctx, broken, func() (err error) {
		if c.http {
			batch, err = c.queryBlocks(ctx, query)
		} else {
			batch, err = c.queryRows(ctx, query)
		}
		return err
	})
	if err != nil {
		return nil, wrap(ctx, "query", err)
	}
	return batch, nil
}

// queryBlocks reads whole columns of Native blocks.
func (c *Client) queryBlocks(ctx context.Context, query string) (*event.Batch, error) {
	body, err := c.conn.QueryFormat(ctx, "Native", query)
	if err != nil {
		return nil, err
	}
	batch, err := readNative(body)
	return batch, errors.Join(err, body.Close())
}

// QueryRaw runs a query and returns its result in a format of ClickHouse's, such as
// JSON, Parquet or CSVWithNames. The text must not name a format itself. An error after
// the first bytes comes from Read. It needs HTTP: the native protocol knows no formats.
func (c *Client) QueryRaw(ctx context.Context, query, format string) (io.ReadCloser, error) {
	var body io.ReadCloser
	err := retry(ctx, broken, func() (err error) {
		body, err = c.conn.QueryFormat(ctx, format, query)
		return err
	})
	if err != nil {
		return nil, wrap(ctx, "query", err)
	}
	return &rawResult{ReadCloser: body, ctx: ctx}, nil
}

// rawResult words errors as the client does.
type rawResult struct {
	io.ReadCloser
	ctx context.Context
}

func (r *rawResult) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = wrap(r.ctx, "read result", err)
	}
	return n, err
}

// Insert writes a batch into a table (a name, quoted and qualified where needed); the
// table's columns are the batch's by name. It returns when ClickHouse has committed.
// The engine converts values to the types of the columns; over the native protocol they
// must match. It is not retried: an insert that broke may have been committed.
func (c *Client) Insert(ctx context.Context, table string, b *event.Batch) error {
	if b.Rows == 0 {
		return nil
	}
	if err := checkDates(b); err != nil {
		return wrap(ctx, "insert into "+table, err)
	}
	statement := "INSERT INTO " + table + " (" + columnList(b.Schema) + ")"
	var err error
	if c.http {
		err = c.conn.InsertFormat(ctx, "Native", statement, newNativeWriter(b))
	} else {
		err = c.insertRows(ctx, statement, b)
	}
	return wrap(ctx, "insert into "+table, err)
}

// Ping reports whether ClickHouse answers.
func (c *Client) Ping(ctx context.Context) error {
	return wrap(ctx, "ping", retry(ctx, broken, func() error { return c.conn.Ping(ctx) }))
}

// Version returns ClickHouse's own version, such as 26.7.2.1.
func (c *Client) Version(ctx context.Context) (string, error) {
	var version string
	err := retry(ctx, broken, func() error { return c.conn.QueryRow(ctx, "SELECT version()").Scan(&version) })
	return version, wrap(ctx, "ask for version", err)
}

// Close closes the connections.
func (c *Client) Close() error {
	err := c.conn.Close()
	c.transport.close()
	if err != nil {
		return fmt.Errorf("close clickhouse: %w", err)
	}
	return nil
}

// columnList returns the quoted names of the columns.
func columnList(s *event.Schema) string {
	names := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		names[i] = QuoteIdentifier(c.Name)
	}
	return strings.Join(names, ", ")
}

var (
	identifierEscape = strings.NewReplacer("\\", "\\\\", "`", "\\`")
	stringEscape     = strings.NewReplacer("\\", "\\\\", "'", "\\'")
)

// QuoteIdentifier returns a name as ClickHouse reads it, whatever it contains.
func QuoteIdentifier(name string) string { return "`" + identifierEscape.Replace(name) + "`" }

// QuoteString returns a string literal as ClickHouse reads it, whatever it contains.
func QuoteString(s string) string { return "'" + stringEscape.Replace(s) + "'" }
