package chhttp

import (
	"net/http"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/query"
	"github.com/millrace/millrace/serving/query/vet"
)

// writes are the first words of statements that change something.
var writes = []string{
	"ALTER", "ATTACH", "BACKUP", "CHECK", "CREATE", "DELETE", "DETACH", "DROP", "EXCHANGE", "GRANT", "INSERT", "KILL", "MOVE",
	"OPTIMIZE", "RENAME", "REPLACE", "RESTORE", "REVOKE", "SET", "SYSTEM", "TRUNCATE", "UNDROP", "UPDATE", "WATCH",
}

// prepare makes the statement one for the Executor: it refuses what writes, and asks for
// tables as a ClickHouse server lists them. done says that there is nothing to run: USE,
// of a session that there is not.
func prepare(req *request) (done bool, err error) {
	statements := vet.Split(req.Text)
	if len(statements) != 1 {
		return false, nil // the Executor says what is wrong
	}
	switch verb := statements[0].First; {
	case slices.Contains(writes, verb):
		return false, problem.New(http.StatusForbidden, "readonly", "the ClickHouse endpoint is read-only, "+verb+" is refused", writeHint(verb))
	case verb == "USE":
		name := strings.Trim(strings.TrimSpace(req.Text[statements[0].Start+len(verb):statements[0].End]), "`\"")
		return true, checkDatabase(name)
	case verb == "SHOW":
		return false, req.showTables(req.Text[statements[0].Start:statements[0].End])
	}
	return false, nil
}

func writeHint(verb string) string {
	switch verb {
	case "INSERT":
		return "send events to POST /v1/streams/{stream}/events"
	case "SET":
		return "send a setting along with the statement that it is for"
	}
	return "streams and views are declared by POST /v1/sql"
}

// showTables asks for the names of tables only, where the statement is SHOW TABLES: our
// own answer has their kind beside them, which clients of ClickHouse do not expect.
func (req *request) showTables(statement string) error {
	text, format := vet.CutFormat(statement)
	parsed, err := sql.Parse(text)
	if err == nil && len(parsed) == 1 {
		if show, ok := parsed[0].(*sql.Show); ok && show.What == "TABLES" {
			return req.selectTables(show, first(format, req.Format))
		}
	}
	return nil // the Executor answers, or says what is wrong
}

func (req *request) selectTables(show *sql.Show, format string) error {
	database := first(show.Database, req.database)
	if err := checkDatabase(database); err != nil {
		return err
	}
	if database != "system" {
		database = query.Database
	}
	req.Text = "SELECT name FROM system.tables WHERE database = " + clickhouse.QuoteString(database)
	if show.Like != nil {
		req.Text += " AND name " + map[bool]string{true: "NOT "}[show.NotLike] + map[bool]string{true: "I"}[show.AnyCase] + "LIKE " + clickhouse.QuoteString(*show.Like)
	}
	req.Text += " ORDER BY name"
	req.Format = format
	return nil
}

// checkDatabase refuses a database that there is not.
func checkDatabase(name string) error {
	if slices.Contains(databases, name) {
		return nil
	}
	return problem.New(http.StatusNotFound, "unknown-database", "there is no database "+clickhouse.QuoteString(name),
		"the streams and views are in "+query.Database+", which default means too")
}
