package engine

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// ClickHouse error codes that the child itself reports or tells apart.
const (
	codeSyntaxError     = 62
	codeBadArguments    = 36
	codeNotImplemented  = 48
	codeUnknownTable    = 60
	codeUnknownDatabase = 81
	codeTimeoutExceeded = 159
	codeTooManyQueries  = 202
	codeSessionNotFound = 372
	codeSessionLocked   = 373
	codeQueryCancelled  = 394
	codeAuthentication  = 516
	codeUnknown         = 1002
)

// exception is an error of the engine in ClickHouse's own words.
type exception struct {
	code int
	text string // "Code: N. DB::Exception: …"
}

func (e *exception) Error() string { return e.text }

// newException words an error of the child as the engine would.
func newException(code int, format string, args ...any) *exception {
	return &exception{code: code, text: fmt.Sprintf("Code: %d. DB::Exception: %s", code, fmt.Sprintf(format, args...))}
}

var exceptionCode = regexp.MustCompile(`^Code: (\d+)\. `)

// parseException reads the code out of the engine's text.
func parseException(text string) *exception {
	text = strings.TrimSpace(text)
	if m := exceptionCode.FindStringSubmatch(text); m != nil {
		if code, err := strconv.Atoi(m[1]); err == nil {
			return &exception{code: code, text: text}
		}
	}
	return newException(codeUnknown, "%s", text)
}

// status returns the HTTP status that ClickHouse's own server gives to the error.
func (e *exception) status() int {
	switch e.code {
	case codeAuthentication:
		return http.StatusUnauthorized
	case codeUnknownTable, codeUnknownDatabase, codeSessionNotFound:
		return http.StatusNotFound
	case codeSyntaxError, codeBadArguments:
		return http.StatusBadRequest
	case codeNotImplemented:
		return http.StatusNotImplemented
	case codeTimeoutExceeded:
		return http.StatusRequestTimeout
	case codeTooManyQueries:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
