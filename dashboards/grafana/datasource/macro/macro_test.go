package macro

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var scope = Scope{
	From:     time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC),
	To:       time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC),
	Interval: 90500 * time.Millisecond,
}

func TestExpand(t *testing.T) {
	const from, to = "fromUnixTimestamp64Milli(1767323045678, 'UTC')", "fromUnixTimestamp64Milli(1767398400000, 'UTC')"
	for _, c := range []struct{ text, want string }{
		{"SELECT 1", "SELECT 1"},
		{"", ""},
		{"a WHERE $__timeFilter(ts)", "a WHERE (ts >= " + from + " AND ts < " + to + ")"},
		{"$__timeFilter( if(a, (b), c[1]) )", "(if(a, (b), c[1]) >= " + from + " AND if(a, (b), c[1]) < " + to + ")"},
		{"$__timeFilter(`a)b`)", "(`a)b` >= " + from + " AND `a)b` < " + to + ")"},
		{"$__dateFilter(d)", "(d >= toDate('2026-01-02') AND d <= toDate('2026-01-03'))"},
		{"$__timeInterval(ts) AS time", "toStartOfInterval(ts, INTERVAL 91 SECOND) AS time"},
		{"$__timeFrom()+$__timeTo( )", from + "+" + to},
		{"$__fromTime,$__toTime", "toDateTime(1767323045, 'UTC'),toDateTime(1767398400, 'UTC')"},
		{"toStartOfInterval(x, $__interval)/$__interval_ms", "toStartOfInterval(x, INTERVAL 91 SECOND)/90500"},
		{"$__timeFilter($__timeInterval(ts))", "(toStartOfInterval(ts, INTERVAL 91 SECOND) >= " + from + " AND toStartOfInterval(ts, INTERVAL 91 SECOND) < " + to + ")"},
		// What is no macro stays.
		{"'$__x' \"$__x\" `$__x` -- $__x\n/* $__x */ # $__x", "'$__x' \"$__x\" `$__x` -- $__x\n/* $__x */ # $__x"},
		{`'it\'s $__x' 'it''s $__x'`, `'it\'s $__x' 'it''s $__x'`},
		{"$__x$ $__toTime $__x$", "$__x$ $__toTime $__x$"},
		{"$$ $__x $$ a$__b", "$$ $__x $$ a$__b"},
		{"'open $__x", "'open $__x"},
		{"/* open $__x", "/* open $__x"},
	} {
		got, err := Expand(c.text, scope)
		if err != nil || got.Text != c.want {
			t.Errorf("%s\n got %v, %v\nwant %s", c.text, got, err, c.want)
		}
	}
}

func TestExpandRefuses(t *testing.T) {
	for _, c := range []struct {
		text         string
		line, column int
		says         string
	}{
		{"SELECT 1\nWHERE ü = $__timefilter(ts)", 2, 11, "no macro $__timefilter; the macros are $__timeFilter, "},
		{"$__timeFilter", 1, 1, "no parentheses after it; write $__timeFilter(column)"},
		{"$__timeFilter (ts)", 1, 1, "no parentheses"},
		{"x $__timeFilter()", 1, 3, "takes 1 argument, not 0"},
		{"x $__timeFilter(a, b)", 1, 3, "takes 1 argument, not 2"},
		{"x $__timeFrom(a)", 1, 3, "takes no argument, not 1"},
		{"x $__timeFilter(a", 1, 16, "is not closed"},
		{"x $__timeFilter(')'", 1, 16, "is not closed"},
		{"$__timeFilter(f(\n  $__nope))", 2, 3, "no macro $__nope"},
		{"$__timeFilter(a + $__nope)", 1, 19, "no macro $__nope"},
		{"$__", 1, 1, "no macro $__"},
	} {
		got, err := Expand(c.text, scope)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %v, %v", c.text, got, err)
			continue
		}
		if e.Line != c.line || e.Column != c.column || !strings.Contains(e.Error(), c.says) {
			t.Errorf("%q: %v, want line %d, column %d, %q", c.text, e, c.line, c.column, c.says)
		}
	}
}

func TestOriginLeadsBackToWhatWasTyped(t *testing.T) {
	const text = "SELECT x,\n $__timeInterval(ts) AS t, bad\nFROM f WHERE $__timeFilter(ts) AND wrong"
	e, err := Expand(text, scope)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		expanded     string
		line, column int
	}{
		{"SELECT", 1, 1}, {"toStartOfInterval", 2, 2}, {"91", 2, 2}, {"bad", 2, 28}, {"FROM f", 3, 1},
		{"fromUnixTimestamp64Milli(17673984", 3, 14}, {"wrong", 3, 36},
	} {
		line, column := e.Origin(strings.Index(e.Text, c.expanded))
		if line != c.line || column != c.column {
			t.Errorf("%s: line %d, column %d, want %d, %d", c.expanded, line, column, c.line, c.column)
		}
	}
}

// TestTextWithoutMacrosStays: any text without a macro comes out as it went in, whatever
// quotes and comments are open in it, and its places are its own.
func TestTextWithoutMacrosStays(t *testing.T) {
	part := rapid.SampledFrom([]string{"'", `"`, "`", "--", "/*", "*/", "\n", "\\", "$", "$$", "$a$", "_", "é", "(", ")", ",", "x", "#", " "})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(part).Draw(t, "parts"), "")
		if strings.Contains(text, "$__") {
			return
		}
		e, err := Expand(text, scope)
		if err != nil || e.Text != text {
			t.Fatalf("%q became %v, %v", text, e, err)
		}
		line, column := e.Origin(len(text))
		if l, c := place(text, len(text)); line != l || column != c {
			t.Fatalf("%q ends at %d, %d, not at %d, %d", text, line, column, l, c)
		}
	})
}

func TestReadOnly(t *testing.T) {
	for _, text := range []string{
		"SELECT 1", "select 1;", " -- a\n/* b */ WITH x AS (SELECT 1) SELECT * FROM x ; -- end", "(SELECT 1) UNION ALL (SELECT 2)",
		"SHOW VIEWS", "DESCRIBE v", "EXISTS STREAM s", "SELECT ';DROP'", "SELECT '\\';DROP VIEW v'",
	} {
		if err := ReadOnly(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, c := range []struct {
		text         string
		line, column int
		says         string
	}{
		{"DROP VIEW v", 1, 1, "only reads"},
		{"/* SELECT */\n create stream s", 2, 2, "only reads"},
		{"SELECT 1; DROP VIEW v", 1, 11, "second statement"},
		{"SELECT 1;;", 1, 10, "second statement"},
		{"SELECTED", 1, 1, "only reads"},
		{" -- nothing", 1, 1, "no statement"},
		{"", 1, 1, "no statement"},
		{"; DROP VIEW v", 1, 3, "second statement"},
	} {
		var e *Error
		if err := ReadOnly(c.text); !errors.As(err, &e) || e.Line != c.line || e.Column != c.column || !strings.Contains(e.Detail, c.says) {
			t.Errorf("%q: %v, want line %d, column %d, %q", c.text, err, c.line, c.column, c.says)
		}
	}
}

func FuzzExpand(f *testing.F) {
	for _, text := range []string{"SELECT $__timeFilter(a) '", "$__timeInterval($__interval", "$$ $__toTime $$", "é$__fromTime\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_ = ReadOnly(text)
		e, err := Expand(text, scope)
		var refused *Error
		switch {
		case errors.As(err, &refused):
			if refused.Line < 1 || refused.Column < 1 || refused.Detail == "" {
				t.Errorf("%q: %+v", text, refused)
			}
		case err != nil:
			t.Errorf("%q: %v", text, err)
		default:
			for i := range len(e.Text) + 1 {
				if line, column := e.Origin(i); line < 1 || column < 1 {
					t.Fatalf("%q: place %d is %d, %d", text, i, line, column)
				}
			}
		}
	})
}
