package chhttp

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/problem"
)

// ClickHouse's codes of errors that have a code of their own here.
const (
	codeBadArguments     = 36
	codeNotImplemented   = 48
	codeUnknownTable     = 60
	codeSyntax           = 62
	codeUnknownFormat    = 73
	codeUnknownDatabase  = 81
	codeTimeout          = 159
	codeReadonly         = 164
	codeTooManyQueries   = 202
	codeMemory           = 241
	codeTooManyBytes     = 307
	codeTooManyRows      = 396
	codeAccessDenied     = 497
	codeAuthentication   = 516
	codeUnknownException = 1002
)

// names are ClickHouse's names of the codes, which clients read from the end of the text.
var names = map[int]string{
	codeBadArguments: "BAD_ARGUMENTS", codeNotImplemented: "NOT_IMPLEMENTED", codeUnknownTable: "UNKNOWN_TABLE",
	codeSyntax: "SYNTAX_ERROR", codeUnknownFormat: "UNKNOWN_FORMAT", codeUnknownDatabase: "UNKNOWN_DATABASE", codeTimeout: "TIMEOUT_EXCEEDED", codeReadonly: "READONLY",
	codeTooManyQueries: "TOO_MANY_SIMULTANEOUS_QUERIES", codeMemory: "MEMORY_LIMIT_EXCEEDED", codeTooManyBytes: "TOO_MANY_BYTES",
	codeTooManyRows: "TOO_MANY_ROWS_OR_BYTES", codeAccessDenied: "ACCESS_DENIED", codeAuthentication: "AUTHENTICATION_FAILED",
	codeUnknownException: "UNKNOWN_EXCEPTION",
}

// codes are ClickHouse's codes of kinds of problems; a kind that is not here has the code
// of its status.
var codes = map[string]int{
	"sql": codeSyntax, "readonly": codeReadonly, "readonly-setting": codeReadonly, "unknown-format": codeUnknownFormat,
	"unknown-database": codeUnknownDatabase, "query-too-heavy": codeMemory, "too-many-bytes": codeTooManyBytes,
}

// statusCodes are ClickHouse's codes of the statuses of problems.
var statusCodes = map[int]int{
	http.StatusBadRequest: codeBadArguments, http.StatusUnauthorized: codeAuthentication, http.StatusForbidden: codeAccessDenied,
	http.StatusNotFound: codeUnknownTable, http.StatusRequestEntityTooLarge: codeSyntax, http.StatusUnprocessableEntity: codeTooManyRows,
	http.StatusTooManyRequests: codeTooManyQueries, http.StatusServiceUnavailable: codeTooManyQueries,
	http.StatusGatewayTimeout: codeTimeout, http.StatusNotImplemented: codeNotImplemented,
}

// marks tell apart what is of one kind, by what the detail has in it: the name of the key
// whose limit was reached, or the words for a table that is not there.
var marks = []struct {
	kind, text string
	code       int
}{
	{"sql", "there is no stream or view ", codeUnknownTable},
	{"query-too-heavy", "max_bytes)", codeTooManyBytes},
	{"query-too-heavy", "max_view_rows", codeTooManyRows},
}

// codeOf returns ClickHouse's code of a problem.
func codeOf(p *problem.Problem) int {
	kind := strings.TrimPrefix(p.Type, "/problems/")
	for _, m := range marks {
		if m.kind == kind && strings.Contains(p.Detail, m.text) {
			return m.code
		}
	}
	for _, code := range []int{codes[kind], statusCodes[p.Status]} {
		if code != 0 {
			return code
		}
	}
	return codeUnknownException
}

// refusalOf returns the engine's own refusal in err, or nil.
func refusalOf(err error) *clickhouse.Error {
	var refusal *clickhouse.Error
	_ = errors.As(err, &refusal)
	return refusal
}

// exception is an error as a ClickHouse server words it.
type exception struct {
	code       int
	text       string // "Code: N. DB::Exception: …"
	status     int    // that of the same problem on the main port
	retryAfter time.Duration
}

// exceptionOf words an error for a client of ClickHouse.
func exceptionOf(err error) exception {
	p := problem.From(err)
	e := exception{code: codeOf(p), status: p.Status, retryAfter: p.RetryAfter}
	message := p.Error()
	if refusal := refusalOf(err); refusal != nil {
		e.code, e.status, message = refusal.Code, http.StatusBadRequest, refusal.Message
	}
	var text strings.Builder
	fmt.Fprintf(&text, "Code: %d. DB::Exception: %s", e.code, strings.TrimRight(message, "."))
	if p.Line > 0 {
		fmt.Fprintf(&text, " (line %d, col %d)", p.Line, p.Column)
	}
	text.WriteByte('.')
	if name := names[e.code]; name != "" {
		fmt.Fprintf(&text, " (%s)", name)
	}
	e.text = text.String()
	return e
}

// writeException answers with an error in place of an answer.
func writeException(w http.ResponseWriter, err error) {
	e := exceptionOf(err)
	h := w.Header()
	for _, name := range []string{"Content-Encoding", "X-ClickHouse-Format", "X-ClickHouse-Summary", "Millrace-Provenance"} {
		h.Del(name) // of the answer that did not come
	}
	h.Set("X-ClickHouse-Exception-Code", strconv.Itoa(e.code))
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	if e.status == http.StatusUnauthorized {
		// Never Basic: a browser would ask for a password, and send it with every request from
		// any page from then on.
		h.Set("WWW-Authenticate", `Bearer realm="millrace"`)
	}
	if e.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((e.retryAfter+time.Second-1)/time.Second)))
	}
	w.WriteHeader(e.status)
	_, _ = io.WriteString(w, e.text+"\n") // the client has gone if this fails
}
