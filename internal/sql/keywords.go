package sql

import "strings"

// reserved lists the words that cannot begin an expression as a bare column name,
// since they mean something of their own there. In backticks they are names.
var reserved = map[string]bool{
	"SELECT": true, "FROM": true, "WHERE": true, "GROUP": true, "HAVING": true, "ORDER": true,
	"LIMIT": true, "UNION": true, "AS": true, "AND": true, "OR": true, "NOT": true, "IN": true,
	"LIKE": true, "ILIKE": true, "BETWEEN": true, "IS": true, "CASE": true, "WHEN": true,
	"THEN": true, "ELSE": true, "END": true, "DISTINCT": true,
	"NULL": true, "TRUE": true, "FALSE": true, "INF": true, "INFINITY": true, "NAN": true,
}

// clauseWords lists further words that end an expression, so that they cannot be its
// alias without AS.
var clauseWords = map[string]bool{
	"ASC": true, "DESC": true, "NULLS": true, "OFFSET": true, "WITH": true, "BY": true,
	"JOIN": true, "INNER": true, "LEFT": true, "RIGHT": true, "FULL": true, "CROSS": true,
	"ANY": true, "ALL": true, "ON": true, "USING": true, "SETTINGS": true, "FORMAT": true,
	"INTO": true, "WINDOW": true, "OVER": true, "PREWHERE": true, "FINAL": true, "SAMPLE": true,
	"ARRAY": true, "EXCEPT": true, "INTERSECT": true, "QUALIFY": true, "INTERVAL": true,
}

func isReserved(word string) bool { return reserved[strings.ToUpper(word)] }

func isClauseWord(word string) bool {
	upper := strings.ToUpper(word)
	return reserved[upper] || clauseWords[upper]
}

// hintFor says what to do instead of a word that ClickHouse knows and this SQL does not.
func hintFor(t token) string {
	if t.kind != wordToken {
		return ""
	}
	switch word := strings.ToUpper(t.text); word {
	case "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "ON", "USING":
		return "a query reads one stream or view; there are no joins"
	case "UNION", "EXCEPT", "INTERSECT":
		return "send the queries one by one"
	case "FORMAT", "INTO":
		return "choose the output with ?format= or the Accept header"
	case "SETTINGS":
		return "settings belong to the server's configuration"
	case "INSERT":
		return "events enter over HTTP: POST /v1/streams/{stream}/events"
	case "ALTER":
		return "drop the stream or view and create it again"
	case "TABLE":
		return "Millrace has streams and views: CREATE STREAM, CREATE VIEW"
	case "OVER", "WINDOW":
		return "there are no window functions; group by tumble(time, INTERVAL 1 HOUR) for time windows"
	case "PREWHERE":
		return "use WHERE"
	case "FINAL":
		return "answers are always merged; leave FINAL out"
	}
	if isReserved(t.text) {
		return "put it in backticks if it is a name"
	}
	return ""
}
