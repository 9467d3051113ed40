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
	codeSyntax: "SYNTAX_ERROR", codeUnknownDatabase: "UNKNOWN_DATABASE", codeTimeout: "TIMEOUT_EXCEEDED", codeReadonly: "READONLY",
	codeTooManyQueries: "TOO_MANY_SIMULTANEOUS_QUERIES", codeMemory: "MEMORY_LIMIT_EXCEEDED", codeTooManyBytes: "TOO_MANY_BYTES",
	codeTooManyRows: "TOO_MANY_ROWS_OR_BYTES", codeAccessDenied: "ACCESS_DENIED", codeAuthentication: "AUTHENTICATION_FAILED",
	codeUnknownException: "UNKNOWN_EXCEPTION",
}

// codes are ClickHouse's codes of kinds of problems; a kind that is not here has the code
// of its status.
var codes = map[string]int{
	"sql": codeSyntax, "query-timeout": codeTimeout, "too-many-rows": codeTooManyRows, "too-many-bytes": codeTooManyBytes,
	"query-memory": codeMemory, "query-too-heavy": codeMemory, "too-many-queries": codeTooManyQueries,
	"unknown-table": codeUnknownTable, "unknown-database": codeUnknownDatabase, "readonly": codeReadonly, "not-implemented": codeNotImplemented,
}

// statusCodes are ClickHouse's codes of the statuses of problems.
var statusCodes = map[int]int{
	http.StatusBadRequest: codeBadArguments, http.StatusUnauthorized: codeAuthentication, http.StatusForbidden: codeAccessDenied,
	http.StatusNotFound: codeUnknownTable, http.StatusRequestEntityTooLarge: codeSyntax, http.StatusUnprocessableEntity: codeTooManyRows,
	http.StatusTooManyRequests: codeTooManyQueries, http.StatusServiceUnavailable: codeTooManyQueries,
	http.StatusGatewayTimeout: codeTimeout, http.StatusNotImplemented: codeNotImplemented,
}

var (
	errNoToken = problem.New(http.StatusUnauthorized, "token-missing", "the statement needs a token", "send one as the password of any user")
	errNoRight = problem.New(http.StatusForbidden, "forbidden", `the token has not the right "look"`, "use a token of the role read, sql or admin")
)

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
	e := exception{code: codes[strings.TrimPrefix(p.Type, "/problems/")], status: p.Status, retryAfter: p.RetryAfter}
	if e.code == 0 {
		e.code = statusCodes[p.Status]
	}
	message := p.Error()
	if refusal := refusalOf(err); refusal != nil {
		e.code, e.status, message = refusal.Code, http.StatusBadRequest, refusal.Message
	}
	if e.code == 0 {
		e.code = codeUnknownException
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
		h.Set("WWW-Authenticate", `Basic realm="millrace"`)
	}
	if e.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((e.retryAfter+time.Second-1)/time.Second)))
	}
	w.WriteHeader(e.status)
	_, _ = io.WriteString(w, e.text+"\n") // the client has gone if this fails
}
