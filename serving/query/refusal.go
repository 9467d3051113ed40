package query

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/problem"
)

var (
	// scopeText is the engine's quotation of the whole query, which names the files and
	// tables that stand behind a stream or view.
	scopeText = regexp.MustCompile(`(?is):? in scope .*?(\. Maybe you meant|: Note: |\. \([A-Z_]+\)|$)`)
	// serverPath is an absolute path: no date, and no division.
	serverPath = regexp.MustCompile(`(^|[^\w/])(?:/[\w.@%+=~-]+){2,}/?`)
	// queryTable is the table of a merged view.
	queryTable = regexp.MustCompile("`?" + TemporaryPrefix + "[A-Z2-7]+`?")
)

// engineProblem gives a refusal by the engine the status of a bad query, without the
// server's paths and tables; what is no refusal (the engine is restarting) is a passing
// fault.
func engineProblem(err error) error {
	var refusal *clickhouse.Error
	if errors.As(err, &refusal) {
		return problem.New(http.StatusBadRequest, "query-refused", publicText(refusal.Message), "")
	}
	return err
}

// publicText is what the caller may read of the engine's message.
func publicText(message string) string {
	message = scopeText.ReplaceAllString(message, "$1")
	message = queryTable.ReplaceAllString(message, "the view")
	return serverPath.ReplaceAllString(message, "$1(a file of the server)")
}

// tooMany refuses an answer beyond the limit of rows.
func tooMany(limit int64) error {
	return problem.New(http.StatusUnprocessableEntity, "too-many-rows",
		fmt.Sprintf("the answer has more rows than the limit of %d (query.max_rows)", limit), "narrow it by WHERE, or give a LIMIT")
}
