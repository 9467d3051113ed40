package chhttp

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/problem"
)

// revision is the revision of ClickHouse's protocol that revision() tells clients: that
// of the release whose engine is embedded.
const revision = 54490

// writes are the first words of statements that change something.
var writes = []string{
	"ALTER", "ATTACH", "BACKUP", "CHECK", "CREATE", "DELETE", "DETACH", "DROP", "EXCHANGE", "GRANT", "INSERT", "KILL", "MOVE",
	"OPTIMIZE", "RENAME", "REPLACE", "RESTORE", "REVOKE", "SET", "SYSTEM", "TRUNCATE", "UNDROP", "UPDATE", "WATCH",
}

// prepare makes the statement one for the Executor: it refuses what writes, and puts
// constants in the place of functions by which clients ask who and what they talk to.
// use says that it was USE, which is done with that.
func prepare(req *request, user string) (text string, use bool, err error) {
	tokens := scan(req.Text)
	if len(tokens) == 0 {
		return "", false, problem.New(http.StatusBadRequest, "sql", "there is no statement", "send one as the body or as ?query=")
	}
	verb := strings.ToUpper(tokens[0].text(req.Text))
	if slices.Contains(writes, verb) {
		return "", false, problem.New(http.StatusForbidden, "readonly", "the ClickHouse endpoint is read-only, "+verb+" is refused", writeHint(verb))
	}
	if verb == "USE" && len(tokens) >= 2 {
		name := strings.Trim(tokens[1].text(req.Text), "`\"")
		if !slices.Contains(databases, name) && name != "system" {
			return "", false, unknownDatabase(name)
		}
		return "", true, nil
	}
	database := req.database
	if database == "default" {
		database = databases[0]
	}
	return substitute(req.Text, tokens, map[string]string{
		"displayname": quote(displayName), "hostname": quote(displayName), "fqdn": quote(displayName),
		"revision":    "toUInt32(" + strconv.Itoa(revision) + ")",
		"currentuser": quote(user), "current_user": quote(user), "user": quote(user),
		"currentdatabase": quote(database), "current_database": quote(database), "database": quote(database),
	}), false, nil
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

// substitute puts constants in the place of calls without arguments; each keeps the name
// that the column of the call has.
func substitute(text string, tokens []span, constants map[string]string) string {
	var out strings.Builder
	end := 0
	for i := 0; i+2 < len(tokens); i++ {
		name := tokens[i].text(text)
		constant, ok := constants[strings.ToLower(name)]
		if !ok || tokens[i+1].text(text) != "(" || tokens[i+2].text(text) != ")" || i > 0 && tokens[i-1].text(text) == "." {
			continue
		}
		out.WriteString(text[end:tokens[i].from])
		out.WriteString("(" + constant + " AS `" + name + "()`)")
		end = tokens[i+2].to
	}
	out.WriteString(text[end:])
	return out.String()
}

func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

// span is a token of a statement: a word, a quoted name or text, or one other character.
type span struct{ from, to int }

func (s span) text(statement string) string { return statement[s.from:s.to] }

// scan cuts a statement into tokens, without blanks and comments. It knows just so much of
// ClickHouse's lexical form that it never takes the inside of a text for a word; what is
// not closed reaches to the end, and is the Executor's to refuse.
func scan(text string) []span {
	var tokens []span
	for i := 0; i < len(text); {
		rest := text[i:]
		switch b := rest[0]; {
		case b == ' ' || b >= '\t' && b <= '\r':
			i++
		case strings.HasPrefix(rest, "--") || b == '#':
			i += through(rest, "\n", 0)
		case strings.HasPrefix(rest, "/*"):
			i += through(rest, "*/", 2)
		case b == '\'' || b == '"' || b == '`':
			n := closing(rest)
			tokens = append(tokens, span{i, i + n})
			i += n
		case b == '$' && heredoc(rest) != "":
			tag := heredoc(rest)
			n := through(rest, tag, len(tag))
			tokens = append(tokens, span{i, i + n})
			i += n
		default:
			n := 1
			for isWord(b) && n < len(rest) && isWord(rest[n]) {
				n++
			}
			tokens = append(tokens, span{i, i + n})
			i += n
		}
	}
	return tokens
}

func isWord(b byte) bool {
	return b == '_' || b == '$' || b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z' || b >= 0x80
}

// through returns how far text reaches through the next end after skip bytes.
func through(text, end string, skip int) int {
	if n := strings.Index(text[skip:], end); n >= 0 {
		return skip + n + len(end)
	}
	return len(text)
}

// closing returns how far the quoted text at the beginning of text reaches.
func closing(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case text[0]:
			if i+1 == len(text) || text[i+1] != text[0] {
				return i + 1
			}
			i++ // a doubled quote stands for itself
		}
	}
	return len(text)
}

// heredoc returns the tag, $…$, with which text begins a text of its own, or "".
func heredoc(text string) string {
	for i := 1; i < len(text); i++ {
		if text[i] == '$' {
			return text[:i+1]
		}
		if !isWord(text[i]) {
			break
		}
	}
	return ""
}
