package engine

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// request is one HTTP request, understood.
type request struct {
	statement
	database string
	settings []parameter
	set      string        // the SET statement of settings
	data     io.Reader     // the rows of an INSERT; nil for every other statement
	revision uint64        // of the Native blocks that the client expects; 0: as the engine writes them
	queryID  string        // echoed
	timeout  time.Duration // 0: none
	changes  bool          // the statement changes its session

	session        string        // name of the session to run in; "" is any
	sessionCheck   bool          // the session must be there already
	sessionTimeout time.Duration // how long it may be idle afterwards
	closeSession   bool          // close it afterwards
}

// transportParameters are the URL parameters of ClickHouse's HTTP interface that are not
// settings, and have no meaning or no other value here.
var transportParameters = []string{
	"query", "database", "default_format", "client_protocol_version", "query_id", "quota_key",
	"user", "password", "role", "stacktrace", "buffer_size", "wait_end_of_query", "session_id", "session_timeout",
	"session_check", "close_session", "enable_http_compression", "http_write_exception_in_output_format",
	"send_progress_in_http_headers", "log_comment", "max_query_size",
}

// unsupportedParameters change what the client expects to read, so they are refused.
var unsupportedParameters = []string{"compress", "decompress"}

// maxTimeoutSeconds is a year: longer than any statement, and far from overflow.
const maxTimeoutSeconds = 366 * 24 * 60 * 60

// settingName is what may stand for a setting; it goes into a SET statement.
var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// parseRequest reads parameters, and the body as far as it is text.
func parseRequest(r *http.Request) (*request, error) {
	if ct := r.Header.Get("Content-Type"); strings.HasPrefix(ct, "multipart/") {
		return nil, newException(codeNotImplemented, "External tables (multipart bodies) are not supported by the embedded engine. (NOT_IMPLEMENTED)")
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return nil, newException(codeNotImplemented, "Content-Encoding %s is not supported by the embedded engine. (NOT_IMPLEMENTED)", enc)
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, newException(codeBadArguments, "URL parameters: %v. (BAD_ARGUMENTS)", err)
	}
	req := &request{
		statement: statement{sql: q.Get("query"), format: q.Get("default_format")},
		database:  q.Get("database"),
		queryID:   q.Get("query_id"),
	}
	if req.format == "" {
		req.format = "TabSeparated"
	}
	if v := q.Get("client_protocol_version"); v != "" {
		revision, err := strconv.ParseUint(v, 10, 32)
		if err != nil {
			return nil, newException(codeBadArguments, "client_protocol_version %q is not a number. (BAD_ARGUMENTS)", v)
		}
		req.revision = revision
	}
	if err := req.parseSettings(q); err != nil {
		return nil, err
	}
	if err := req.parseSession(q); err != nil {
		return nil, err
	}
	if err := req.parseBody(r); err != nil {
		return nil, err
	}
	if strings.TrimSpace(req.sql) == "" {
		return nil, newException(codeSyntaxError, "Empty query. (SYNTAX_ERROR)")
	}
	req.changes = changesSession(req.sql)
	return req, nil
}

// parseSettings sorts the URL parameters into query parameters and settings.
func (req *request) parseSettings(q url.Values) error {
	for name, values := range q {
		value := values[len(values)-1]
		param, isParam := strings.CutPrefix(name, "param_")
		switch {
		case isParam:
			req.params = append(req.params, parameter{param, value})
		case slices.Contains(transportParameters, name):
		case slices.Contains(unsupportedParameters, name):
			if value != "" && value != "0" {
				return newException(codeNotImplemented, "URL parameter %s is not supported by the embedded engine. (NOT_IMPLEMENTED)", name)
			}
		case !settingName.MatchString(name):
			return newException(codeBadArguments, "URL parameter %q is no setting. (BAD_ARGUMENTS)", name)
		case name == "max_execution_time":
			// The child keeps the time itself: the engine's own check misses a sleep,
			// and every client with a deadline sends it, so it must not cost a session.
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil || !(seconds >= 0 && seconds <= maxTimeoutSeconds) {
				return newException(codeBadArguments, "max_execution_time %q is not a number of seconds. (BAD_ARGUMENTS)", value)
			}
			req.timeout = time.Duration(seconds * float64(time.Second))
		default:
			req.settings = append(req.settings, parameter{name, value})
		}
	}
	req.set = setStatement(req.settings)
	return nil
}

// parseSession reads the parameters of named sessions.
func (req *request) parseSession(q url.Values) error {
	req.session, req.sessionTimeout = q.Get("session_id"), sessionTimeout
	req.sessionCheck = q.Get("session_check") == "1"
	req.closeSession = q.Get("close_session") == "1"
	if v := q.Get("session_timeout"); v != "" {
		seconds, err := strconv.ParseUint(v, 10, 32)
		if err != nil || seconds > uint64(maxSessionTimeout/time.Second) {
			return newException(codeBadArguments, "session_timeout %q is no number of seconds up to %v. (BAD_ARGUMENTS)", v, maxSessionTimeout.Seconds())
		}
		req.sessionTimeout = time.Duration(seconds) * time.Second
	}
	return nil
}

var (
	insertWithFormat = regexp.MustCompile(`(?is)^(insert\s+into\s.*?)\s+format\s+([a-z][a-z0-9]*)\s*;?\s*$`)
	trailingFormat   = regexp.MustCompile(`(?is)\sformat\s+([a-z][a-z0-9]*)\s*(?:settings\s[^']*)?;?\s*$`)
)

// parseBody decides what the body is: the statement, its end, or the rows of an INSERT.
func (req *request) parseBody(r *http.Request) error {
	if m := insertWithFormat.FindStringSubmatch(strings.TrimSpace(req.sql)); m != nil {
		// The engine takes the rows through a stream of their own, not in the text.
		req.sql, req.format, req.data = m[1], m[2], r.Body
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxStatementBytes+1))
	if err != nil {
		return fmt.Errorf("read statement: %w", err)
	}
	if len(body) > maxStatementBytes {
		return newException(codeSyntaxError, "The statement is longer than %d bytes. (SYNTAX_ERROR)", maxStatementBytes)
	}
	switch {
	case req.sql == "":
		req.sql = string(body)
	case len(body) > 0:
		req.sql += "\n" + string(body)
	}
	if m := trailingFormat.FindStringSubmatch(req.sql); m != nil && firstWord(req.sql) != "INSERT" {
		req.format = m[1]
	}
	return nil
}

// firstWord returns the statement's first keyword in upper case, past blanks and
// comments, or its first character where that is none.
func firstWord(sql string) string {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n\f\v")
		switch {
		case strings.HasPrefix(sql, "--"), strings.HasPrefix(sql, "#!"), strings.HasPrefix(sql, "# "):
			_, sql, _ = strings.Cut(sql, "\n")
		case strings.HasPrefix(sql, "/*"):
			_, sql, _ = strings.Cut(sql, "*/")
		default:
			n := 0
			for n < len(sql) && (sql[n]|0x20 >= 'a' && sql[n]|0x20 <= 'z') {
				n++
			}
			if n == 0 && sql != "" {
				n = 1
			}
			return strings.ToUpper(sql[:n])
		}
	}
}

// mayStream reports whether the statement may be of the kind whose result the engine
// gives in chunks. Where it is not after all, the engine says so before it runs anything.
func mayStream(sql string) bool {
	switch firstWord(sql) {
	case "SELECT", "WITH", "FROM", "(":
		return true
	}
	return false
}

var temporary = regexp.MustCompile(`(?i)\btemporary\b`)

// changesSession reports whether the session differs after the statement. It may say so
// too often: that costs a new session, a millisecond.
func changesSession(sql string) bool {
	switch firstWord(sql) {
	case "SET", "USE":
		return true
	case "CREATE", "DROP", "ALTER", "REPLACE":
		return temporary.MatchString(sql)
	}
	return false
}

// chunkable are the formats whose results may be joined by putting one behind the other,
// as a streamed result needs: the engine writes each chunk as a document of its own.
var chunkable = []string{
	"native", "rowbinary", "null",
	"csv", "tabseparated", "tabseparatedraw", "tsv", "tsvraw",
	"jsoneachrow", "jsonlines", "ndjson", "jsoncompacteachrow", "jsonstringseachrow", "lineasstring", "rawblob",
}

func isChunkable(format string) bool {
	return slices.Contains(chunkable, strings.ToLower(format))
}

// contentType returns the media type of a format, as ClickHouse names it.
func contentType(format string) string {
	f := strings.ToLower(format)
	switch {
	case f == "native", f == "rowbinary", f == "parquet", f == "arrow", f == "arrowstream", f == "orc", f == "rawblob":
		return "application/octet-stream"
	case strings.HasSuffix(f, "eachrow"), f == "jsonlines", f == "ndjson":
		return "application/x-ndjson; charset=UTF-8"
	case strings.HasPrefix(f, "json"):
		return "application/json; charset=UTF-8"
	case strings.HasPrefix(f, "csv"):
		return "text/csv; charset=UTF-8; header=absent"
	case strings.HasPrefix(f, "tabseparated"), strings.HasPrefix(f, "tsv"):
		return "text/tab-separated-values; charset=UTF-8"
	}
	return "text/plain; charset=UTF-8"
}
