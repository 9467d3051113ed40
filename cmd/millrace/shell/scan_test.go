package shell

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		input    string
		want     []string
		complete bool
	}{
		{"", nil, true},
		{"  \n", nil, true},
		{"-- nothing", nil, true},
		{"SELECT 1", []string{"SELECT 1"}, false},
		{"SELECT 1;", []string{"SELECT 1"}, true},
		{"SELECT 1; ;; SELECT 2;", []string{"SELECT 1", " SELECT 2"}, true},
		{"SELECT 1;\n-- the end\n", []string{"SELECT 1"}, true},
		{"SELECT ';", []string{"SELECT ';"}, false},
		{`SELECT 'it''s;', 'a\';b';`, []string{`SELECT 'it''s;', 'a\';b'`}, true},
		{"SELECT `a;b`, \"c;d\";", []string{"SELECT `a;b`, \"c;d\""}, true},
		{"SELECT 1 -- not here;\n;", []string{"SELECT 1 -- not here;\n"}, true},
		{"SELECT 1 # nor here;\n+ 2;", []string{"SELECT 1 # nor here;\n+ 2"}, true},
		{"SELECT /* nor ; /* here; */ ; */ 1;", []string{"SELECT /* nor ; /* here; */ ; */ 1"}, true},
		{"/* to be continued;", []string{"/* to be continued;"}, false},
		{"/* all */", nil, true},
		{"SELECT $$a;b$$, $x$;$$;$x$, $1;", []string{"SELECT $$a;b$$, $x$;$$;$x$, $1"}, true},
		{"SELECT $x$;$$;", []string{"SELECT $x$;$$;"}, false},
		{"SELECT 'é;日';", []string{"SELECT 'é;日'"}, true},
	} {
		statements, complete := split(c.input)
		var texts []string
		for _, s := range statements {
			texts = append(texts, s.text)
			if !strings.HasPrefix(c.input[s.offset:], s.text) {
				t.Errorf("%q: the statement %q is not at %d", c.input, s.text, s.offset)
			}
		}
		if !slices.Equal(texts, c.want) || complete != c.complete {
			t.Errorf("%q: %q, complete %t; want %q, %t", c.input, texts, complete, c.want, c.complete)
		}
	}
}

// TestScanKeepsText scans any text: its pieces are the text, and none is empty.
func TestScanKeepsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching("[a'\"`\\\\/*;#$ \n1.-]{0,40}")).Draw(t, "text")
		var b strings.Builder
		for _, p := range scan(text) {
			if p.text == "" || p.offset != b.Len() {
				t.Fatalf("%q at %d of %q, after %d bytes", p.text, p.offset, text, b.Len())
			}
			b.WriteString(p.text)
		}
		if b.String() != text {
			t.Fatalf("%q became %q", text, b.String())
		}
		if plain := strings.NewReplacer(cyan, "", green, "", yellow, "", dim, "", reset, "").Replace(highlight(text)); plain != text && !strings.Contains(text, "\x1b") {
			t.Fatalf("%q was coloured as %q", text, plain)
		}
	})
}

func TestComplete(t *testing.T) {
	known := names{
		tables: []relation{
			{"clicks", "stream", []column{{"ts", "DateTime64(3)", "event time"}, {"page", "String", ""}, {"odd name", "String", ""}}},
			{"page_hits", "view", []column{{"page", "String", "key"}, {"hits", "UInt64", "aggregate"}}},
			{"players", "leaderboard", nil},
		},
		functions: []function{{"count", "aggregate", ""}, {"countIf", "aggregate", ""}, {"plus", "scalar", "plus(a, b)"}},
	}
	for _, c := range []struct {
		text, rest string // the cursor is between them
		prefix     string
		want       string // the candidates
	}{
		{"", "", "", "SELECT WITH SHOW DESCRIBE CREATE DROP"},
		{"se", "", "se", "select"},
		{"SELECT 1; sh", "", "sh", "show"},
		{"SHOW ", "", "", "TABLES STREAMS VIEWS LEADERBOARDS REPORTS FUNCTIONS CREATE"},
		{"SHOW CREATE ", "", "", "clicks page_hits players"},
		{"CREATE V", "", "V", "VIEW"},
		{"DROP VIEW p", "", "p", "page_hits players"},
		{"SELECT * FROM ", "", "", "clicks page_hits players"},
		{"SELECT * FROM PAGE", "", "PAGE", "page_hits"},
		{"SELECT * FROM clicks, ", "", "", "clicks page_hits players"},
		{"SELECT * FROM clicks a JOIN p", "", "p", "page_hits players"},
		{"SELECT h", " FROM page_hits", "h", "hits having hour"},
		{"SELECT ", " FROM page_hits", "", "page hits clicks page_hits players"},
		{"SELECT cou", " FROM clicks", "cou", "count( countIf("},
		{"SELECT sum(", " FROM clicks", "", "ts page `odd name` clicks page_hits players"},
		{"SELECT a.", " FROM clicks AS a, page_hits b", "", "ts page `odd name`"},
		{"SELECT b.h", " FROM clicks a, page_hits b", "h", "hits"},
		{"SELECT page_hits.", " FROM page_hits", "", "page hits"},
		{"SELECT p", "", "p", "page plus( partition page_hits players"},
		{"SELECT * FROM page_hits WHERE hits > 1 AND p", "", "p", "page plus( partition page_hits players"},
		{"SELECT * FROM page_hits ORDER ", "", "", "BY"},
		{"SELECT 'pa", "", "", ""},
		{"SELECT 1 -- pa", "", "", ""},
		{"SELECT 12", "", "", ""},
		{"SELECT `od", " FROM clicks", "`od", "`odd name`"},
		{`\`, "", `\`, `\d \x \f \rows \wait \timing \? \q`},
		{`\d pl`, "", "pl", "players"},
		{`\d `, "", "", "clicks page_hits players"},
		{`\x `, "", "", "on off auto"},
		{`\f v`, "", "v", "vertical"},
		{`\q `, "", "", ""},
	} {
		prefix, found := complete(known, commandCandidates(), c.text, c.rest)
		var texts []string
		for _, f := range found {
			texts = append(texts, f.text)
		}
		if prefix != c.prefix || strings.Join(texts, " ") != c.want {
			t.Errorf("%q|%q: %q after %q, want %q after %q", c.text, c.rest, texts, prefix, c.want, c.prefix)
		}
	}
}
