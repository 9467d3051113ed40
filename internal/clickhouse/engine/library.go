package engine

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is a loaded libchdb: the entry points of chdb.h that the child calls. It is
// loaded once per process and never unloaded, since the engine starts threads of its own.
//
// Handles are plain C pointers. A connection runs one statement at a time; every
// result and stream belongs to its connection and must be destroyed by the caller.
type library struct {
	connect   func(argc int32, argv unsafe.Pointer) unsafe.Pointer // chdb_connection *
	closeConn func(conn unsafe.Pointer)
	signals   func(enabled int32)

	query func(conn unsafe.Pointer, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	stream func(conn unsafe.Pointer, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	fetch  func(conn, stream unsafe.Pointer) unsafe.Pointer
	cancel func(conn, stream unsafe.Pointer)

	insert func(conn unsafe.Pointer, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	insertError   func(insert unsafe.Pointer) unsafe.Pointer
	insertAppend  func(insert unsafe.Pointer, data *byte, length uintptr) int32
	insertDone    func(insert unsafe.Pointer) unsafe.Pointer
	insertCancel  func(insert unsafe.Pointer)
	insertDestroy func(insert unsafe.Pointer)

	resultBuffer  func(result unsafe.Pointer) unsafe.Pointer
	resultLength  func(result unsafe.Pointer) uintptr
	resultRows    func(result unsafe.Pointer) uint64 // that are in the buffer, in any format
	resultError   func(result unsafe.Pointer) unsafe.Pointer
	resultDestroy func(result unsafe.Pointer)
}

// load maps the shared library at path into the process.
func load(path string) (lib *library, err error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load engine library %s: %w", path, err)
	}
	lib = &library{}
	for _, f := range []struct {
		fn   any
		name string
	}{
		{&lib.connect, "chdb_connect"},
		{&lib.closeConn, "chdb_close_conn"},
		{&lib.signals, "chdb_set_signal_handlers_enabled"},
		{&lib.query, "chdb_query_with_params_n"},
		{&lib.stream, "chdb_stream_query_with_params_n"},
		{&lib.fetch, "chdb_stream_fetch_result"},
		{&lib.cancel, "chdb_stream_cancel_query"},
		{&lib.insert, "chdb_stream_insert_with_params_n"},
		{&lib.insertError, "chdb_stream_insert_error"},
		{&lib.insertAppend, "chdb_stream_append"},
		{&lib.insertDone, "chdb_stream_done"},
		{&lib.insertCancel, "chdb_stream_cancel_insert"},
		{&lib.insertDestroy, "chdb_destroy_insert_stream"},
		{&lib.resultBuffer, "chdb_result_buffer"},
		{&lib.resultLength, "chdb_result_length"},
		{&lib.resultRows, "chdb_result_rows_read"},
		{&lib.resultError, "chdb_result_error"},
		{&lib.resultDestroy, "chdb_destroy_query_result"},
	} {
		symbol, err := purego.Dlsym(handle, f.name)
		if err != nil {
			return nil, fmt.Errorf("load engine library %s: it is not libchdb %s: %w", path, Version, err)
		}
		purego.RegisterFunc(f.fn, symbol)
	}
	// The engine would take over the process's fatal signals, and turning that off
	// resets them to their defaults; Go's runtime needs its own handlers back.
	saved := saveSignals()
	lib.signals(0)
	saved.restore()
	return lib, nil
}

// open opens a connection on the database directory.
func (l *library) open(args ...string) (*connection, error) {
	argv := make([]*byte, 0, len(args)+2)
	argv = append(argv, cString("clickhouse"))
	for _, a := range args {
		argv = append(argv, cString(a))
	}
	argc := int32(len(argv))
	argv = append(argv, nil)
	saved := saveSignals()
	handle := l.connect(argc, unsafe.Pointer(&argv[0]))
	saved.restore()
	runtime.KeepAlive(argv)
	if handle == nil || *(*unsafe.Pointer)(handle) == nil {
		return nil, errors.New("open engine connection: the engine refused (is another process using the data directory?)")
	}
	return &connection{lib: l, handle: handle}, nil
}

// connection is one session of the engine. It is not safe for concurrent use.
type connection struct {
	lib      *library
	handle   unsafe.Pointer // chdb_connection *
	name     string         // its log_comment, by which a running statement is found
	database string         // its current database, "" before the first USE
	applied  string         // the SET statement that gave it its settings, "" before the first
}

func (c *connection) conn() unsafe.Pointer { return *(*unsafe.Pointer)(c.handle) }

func (c *connection) close() { c.lib.closeConn(c.handle) }

// statement is what a connection is asked to run. Parameters fill {name:Type} places.
type statement struct {
	sql    string
	format string
	params []parameter
}

type parameter struct{ name, value string }

// cParams holds parameters in the four parallel arrays that the C interface takes.
type cParams struct {
	names, values       []*byte
	nameLens, valueLens []uintptr
}

func newCParams(params []parameter) *cParams {
	p := &cParams{}
	for _, x := range params {
		p.names = append(p.names, unsafe.StringData(x.name))
		p.nameLens = append(p.nameLens, uintptr(len(x.name)))
		p.values = append(p.values, cString(x.value))
		p.valueLens = append(p.valueLens, uintptr(len(x.value)))
	}
	return p
}

type startFunc = func(conn unsafe.Pointer, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr,
	names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer

func (c *connection) start(f startFunc, s statement) unsafe.Pointer {
	p := newCParams(s.params)
	r := f(c.conn(), unsafe.StringData(s.sql), uintptr(len(s.sql)), unsafe.StringData(s.format), uintptr(len(s.format)),
		unsafe.Pointer(unsafe.SliceData(p.names)), unsafe.Pointer(unsafe.SliceData(p.nameLens)),
		unsafe.Pointer(unsafe.SliceData(p.values)), unsafe.Pointer(unsafe.SliceData(p.valueLens)),
		uintptr(len(s.params)))
	runtime.KeepAlive(p)
	runtime.KeepAlive(s)
	return r
}

// run executes a statement and returns its whole result, which the caller must destroy.
func (c *connection) run(s statement) (*result, error) {
	return c.result(c.start(c.lib.query, s))
}

// exec executes a statement whose result does not matter.
func (c *connection) exec(sql string) error {
	r, err := c.run(statement{sql: sql, format: "Null"})
	if err != nil {
		return err
	}
	r.destroy()
	return nil
}

// stream starts a query; its result comes in chunks from next. The caller must close it.
func (c *connection) stream(s statement) (*resultStream, error) {
	handle := c.start(c.lib.stream, s)
	if err := c.check(handle); err != nil {
		return nil, err
	}
	return &resultStream{conn: c, handle: handle}, nil
}

// insert starts an insert; data follows by append. The caller must close it.
func (c *connection) insert(s statement) (*insertStream, error) {
	handle := c.start(c.lib.insert, s)
	if handle == nil {
		return nil, errNoResult
	}
	if e := c.lib.insertError(handle); e != nil {
		err := parseException(goString(e))
		c.lib.insertDestroy(handle)
		return nil, err
	}
	return &insertStream{conn: c, handle: handle}, nil
}

var errNoResult = &exception{code: codeUnknown, text: "Code: 1002. DB::Exception: the engine gave neither a result nor an error. (UNKNOWN_EXCEPTION)"}

// check destroys a failed result and returns its error.
func (c *connection) check(handle unsafe.Pointer) error {
	if handle == nil {
		return errNoResult
	}
	if e := c.lib.resultError(handle); e != nil {
		err := parseException(goString(e))
		c.lib.resultDestroy(handle)
		return err
	}
	return nil
}

func (c *connection) result(handle unsafe.Pointer) (*result, error) {
	if err := c.check(handle); err != nil {
		return nil, err
	}
	return &result{lib: c.lib, handle: handle}, nil
}

// result is a finished result or one chunk of a stream.
type result struct {
	lib    *library
	handle unsafe.Pointer
}

// bytes returns the formatted rows. They are the engine's memory, valid until destroy.
func (r *result) bytes() []byte {
	n := r.lib.resultLength(r.handle)
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(r.lib.resultBuffer(r.handle)), n)
}

// rows returns the number of rows in bytes.
func (r *result) rows() uint64 { return r.lib.resultRows(r.handle) }

func (r *result) destroy() { r.lib.resultDestroy(r.handle) }

// resultStream is a running query.
type resultStream struct {
	conn   *connection
	handle unsafe.Pointer
	ended  bool
}

// next waits for the next chunk; it returns nil after the last one.
func (s *resultStream) next() (*result, error) {
	r, err := s.conn.result(s.conn.lib.fetch(s.conn.conn(), s.handle))
	if err != nil {
		return nil, err
	}
	if r.lib.resultLength(r.handle) == 0 {
		r.destroy()
		s.ended = true
		return nil, nil
	}
	return r, nil
}

// close ends the query, cancelling it unless it has come to its end: one that failed
// too, since the engine keeps it in system.processes until then.
func (s *resultStream) close() {
	if !s.ended {
		s.conn.lib.cancel(s.conn.conn(), s.handle)
	}
	s.conn.lib.resultDestroy(s.handle)
}

// insertStream is a running insert.
type insertStream struct {
	conn   *connection
	handle unsafe.Pointer
	ended  bool
}

// append hands over a piece of the data, cut anywhere; the engine copies it.
func (s *insertStream) append(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	if s.conn.lib.insertAppend(s.handle, unsafe.SliceData(data), uintptr(len(data))) != 0 {
		if e := s.conn.lib.insertError(s.handle); e != nil {
			return parseException(goString(e))
		}
		return errNoResult
	}
	return nil
}

// done commits the insert.
func (s *insertStream) done() error {
	s.ended = true
	r, err := s.conn.result(s.conn.lib.insertDone(s.handle))
	if err != nil {
		return err
	}
	r.destroy()
	return nil
}

// close frees the insert, giving it up unless done has been called.
func (s *insertStream) close() {
	if !s.ended {
		s.conn.lib.insertCancel(s.handle)
	}
	s.conn.lib.insertDestroy(s.handle)
}

// cString returns the string followed by a zero byte.
func cString(s string) *byte {
	b := make([]byte, len(s)+1)
	copy(b, s)
	return &b[0]
}

// goString copies a zero-terminated C string.
func goString(p unsafe.Pointer) string {
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}
