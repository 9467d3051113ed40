package query

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/query/vet"
)

// ClickHouse's codes of limits.
const (
	codeTimeout       = 159
	codeMemory        = 241
	codeDiskSpill     = 243
	codeTooManyResult = 396
	codeCancelled     = 394
)

var (
	// scopeText is the engine's quotation of the whole query.
	scopeText = regexp.MustCompile(`(?is):? in scope .*?(\. Maybe you meant|: Note: |\. \([A-Z_]+\)|$)`)
	// serverPath is an absolute path: no date, and no division.
	serverPath = regexp.MustCompile(`(^|[^\w/])(?:/[\w.@%+=~-]+){2,}/?`)
)

// problem words an error of the job for its caller: a limit by its name, a refusal by the
// engine as a bad query, a restart of the engine as a passing fault.
func (j *job) problem(err error) error {
	var p *problem.Problem
	var placed *sql.Error
	if errors.As(err, &p) || errors.As(err, &placed) {
		return err
	}
	if errors.Is(context.Cause(j.ctx), errTime) {
		return j.limits.tooLong()
	}
	if cause := context.Cause(j.ctx); cause != nil {
		return cause
	}
	var source *sourceError
	if errors.As(err, &source) {
		return source.error
	}
	var refused *clickhouse.Error
	if !errors.As(err, &refused) {
		j.x.Log.Warn("query engine", "error", err)
		return problem.Busy("the query engine was started again while the query ran", time.Second)
	}
	switch refused.Code {
	case codeTimeout:
		return j.limits.tooLong()
	case codeMemory, codeDiskSpill:
		return j.limits.tooMuchMemory()
	case codeTooManyResult:
		if strings.Contains(refused.Message, "max bytes") {
			return j.limits.tooManyBytes()
		}
		return j.limits.tooManyRows()
	case clickhouse.CodeSessionNotFound, codeCancelled:
		return problem.Busy("the query engine was started again while the query ran", time.Second)
	}
	return problem.New(http.StatusBadRequest, "query-refused", publicText(refused.Message), "")
}

// publicText is what the caller may read of the engine's message.
func publicText(message string) string {
	message = scopeText.ReplaceAllString(message, "$1")
	message = strings.ReplaceAll(message, vet.SystemPrefix, "system.")
	return serverPath.ReplaceAllString(message, "$1(a file of the server)")
}
