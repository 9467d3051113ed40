package shell

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/sql"
)

// candidate is one way to go on.
type candidate struct {
	text  string // in the place of the word that is being completed
	about string
	group string // heading in the menu
	more  bool   // no space follows: the text goes on
}

// keywords of statements and queries.
var keywords = strings.Fields(`SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT OFFSET AS AND OR NOT IN LIKE ILIKE BETWEEN IS NULL
	CASE WHEN THEN ELSE END DISTINCT ASC DESC NULLS FIRST LAST JOIN INNER LEFT RIGHT FULL CROSS ON USING UNION ALL WITH OVER
	PARTITION ROWS INTERVAL CREATE DROP STREAM VIEW LEADERBOARD REPORT IF EXISTS SHOW DESCRIBE TABLES STREAMS VIEWS LEADERBOARDS REPORTS SCHEDULE
	FUNCTIONS TABLE TRUE FALSE SECOND MINUTE HOUR DAY WEEK MONTH QUARTER YEAR CAST`)

// after lists what may follow a word, where only a few words may.
var after = map[string][]string{
	"SHOW":   {"TABLES", "STREAMS", "VIEWS", "LEADERBOARDS", "REPORTS", "FUNCTIONS", "CREATE"},
	"CREATE": {"STREAM", "VIEW", "LEADERBOARD", "REPORT"},
	"DROP":   {"STREAM", "VIEW", "LEADERBOARD", "REPORT"},
	"GROUP":  {"BY"},
	"ORDER":  {"BY"},
	"IS":     {"NULL", "NOT NULL"},
}

// beforeTable are the words that the name of a table follows.
var beforeTable = []string{"FROM", "JOIN", "DESCRIBE", "DESC", "STREAM", "VIEW", "LEADERBOARD", "TABLE", "EXISTS"}

// starters begin a statement.
var starters = []string{"SELECT", "WITH", "SHOW", "DESCRIBE", "CREATE", "DROP"}

// complete finds what may stand in the place of the word before the cursor, and that
// word. text is the input up to the cursor, rest what follows.
func complete(known names, commands []candidate, text, rest string) (prefix string, found []candidate) {
	if strings.HasPrefix(strings.TrimLeft(text, " "), `\`) {
		return completeCommand(known, commands, text)
	}
	pieces := scan(text)
	if len(pieces) > 0 {
		last := pieces[len(pieces)-1]
		if last.open && last.kind != quoted || last.kind == number {
			return "", nil // inside of a string or comment
		}
		if last.kind == word || last.open {
			prefix = last.text
			pieces = pieces[:len(pieces)-1]
		}
	}
	before := significant(pieces)
	all := expected(known, before, prefix, significant(scan(text+rest)))
	return prefix, matching(prefix, all)
}

// significant leaves out blanks and comments, and all up to the last semicolon.
func significant(pieces []piece) []piece {
	var out []piece
	for _, p := range pieces {
		switch p.kind {
		case space, comment:
		case end:
			out = out[:0]
		default:
			out = append(out, p)
		}
	}
	return out
}

// expected lists what may stand behind the pieces before, in a statement.
func expected(known names, before []piece, prefix string, statement []piece) []candidate {
	if len(before) == 0 {
		return words(starters, prefix)
	}
	last := before[len(before)-1]
	upper := strings.ToUpper(last.text)
	if last.kind == word {
		if list, ok := after[upper]; ok && (upper != "CREATE" || len(before) == 1) {
			return words(list, prefix)
		}
		if slices.Contains(beforeTable, upper) || upper == "CREATE" {
			return tables(known)
		}
	}
	sources := known.sources(statement)
	if last.text == "." && len(before) > 1 {
		return sources.of(unquote(before[len(before)-2]))
	}
	if last.text == "," && inFrom(before) {
		return tables(known)
	}
	list := sources.columns()
	if prefix != "" { // all functions and keywords at once say nothing
		for _, f := range known.functions {
			list = append(list, candidate{f.name + "(", describe(f), "functions", true})
		}
		list = append(list, words(keywords, prefix)...)
	}
	return append(list, tables(known)...)
}

func describe(f function) string {
	if f.usage != "" {
		return f.usage
	}
	return f.kind
}

// inFrom tells whether the last clause begun is FROM.
func inFrom(before []piece) bool {
	for _, p := range slices.Backward(before) {
		if p.kind == word {
			switch strings.ToUpper(p.text) {
			case "FROM":
				return true
			case "SELECT", "WHERE", "ON", "USING", "BY", "HAVING", "LIMIT", "WITH":
				return false
			}
		}
	}
	return false
}

// source is a table that a statement names, under its alias.
type source struct {
	relation
	alias string
}

type sources struct {
	named []source
	known names
}

// sources finds the tables of a statement.
func (n names) sources(statement []piece) sources {
	s := sources{known: n}
	for i, p := range statement {
		if p.kind != word && p.kind != quoted {
			continue
		}
		at := slices.IndexFunc(n.tables, func(t relation) bool { return t.name == unquote(p) })
		if at < 0 {
			continue
		}
		alias := ""
		rest := statement[i+1:]
		if len(rest) > 1 && strings.EqualFold(rest[0].text, "AS") {
			rest = rest[1:]
		}
		if len(rest) > 0 && (rest[0].kind == quoted || rest[0].kind == word && !slices.Contains(keywords, strings.ToUpper(rest[0].text))) {
			alias = unquote(rest[0])
		}
		s.named = append(s.named, source{n.tables[at], alias})
	}
	return s
}

// of lists the columns of the table with a name or alias.
func (s sources) of(name string) []candidate {
	for _, t := range s.named {
		if t.alias == name || t.name == name {
			return t.list("columns of " + t.name)
		}
	}
	return nil
}

// columns lists the columns of the statement's tables, or of all where it names none yet.
func (s sources) columns() []candidate {
	var list []candidate
	for _, t := range s.named {
		list = append(list, t.list("columns of "+t.name)...)
	}
	if len(s.named) > 0 {
		return list
	}
	seen := map[string]bool{}
	for _, t := range s.known.tables {
		for _, c := range t.list("columns") {
			if !seen[c.text] {
				seen[c.text] = true
				list = append(list, c)
			}
		}
	}
	return list
}

func (t relation) list(group string) []candidate {
	list := make([]candidate, len(t.columns))
	for i, c := range t.columns {
		about := c.typ
		if c.role != "" {
			about += ", " + c.role
		}
		list[i] = candidate{quote(c.name), about, group, false}
	}
	return list
}

func tables(known names) []candidate {
	list := make([]candidate, len(known.tables))
	for i, t := range known.tables {
		list[i] = candidate{quote(t.name), t.kind, "tables", false}
	}
	return list
}

// words are keywords, in lower case where the prefix is.
func words(list []string, prefix string) []candidate {
	lower := prefix != "" && prefix == strings.ToLower(prefix)
	out := make([]candidate, len(list))
	for i, w := range list {
		if lower {
			w = strings.ToLower(w)
		}
		out[i] = candidate{w, "", "keywords", false}
	}
	return out
}

// matching keeps what begins with the prefix, in any case; what is listed twice, once.
func matching(prefix string, list []candidate) []candidate {
	var out []candidate
	seen := map[string]bool{}
	for _, c := range list {
		if len(c.text) >= len(prefix) && strings.EqualFold(c.text[:len(prefix)], prefix) && !seen[c.text] {
			seen[c.text] = true
			out = append(out, c)
		}
	}
	return out
}

// completeCommand completes a command and its argument.
func completeCommand(known names, commands []candidate, text string) (string, []candidate) {
	fields := strings.Fields(text)
	if len(fields) == 1 && !strings.HasSuffix(text, " ") {
		return fields[0], matching(fields[0], commands)
	}
	prefix := ""
	if !strings.HasSuffix(text, " ") {
		prefix = fields[len(fields)-1]
	}
	var list []candidate
	switch fields[0] {
	case `\d`:
		list = tables(known)
	case `\f`:
		list = arguments(Formats)
	case `\x`:
		list = arguments([]string{"on", "off", "auto"})
	case `\timing`:
		list = arguments([]string{"on", "off"})
	}
	return prefix, matching(prefix, list)
}

func arguments(values []string) []candidate {
	list := make([]candidate, len(values))
	for i, v := range values {
		list[i] = candidate{text: v, group: "values"}
	}
	return list
}

func quote(name string) string { return sql.QuoteName(name) }

// unquote is the name that a piece stands for.
func unquote(p piece) string {
	if p.kind != quoted || len(p.text) < 2 {
		return p.text
	}
	q := p.text[:1]
	return strings.ReplaceAll(strings.TrimSuffix(p.text[1:], q), q+q, q)
}
