package tabular_test

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/cmd/millrace/tabular"
)

func example() *tabular.Table {
	return &tabular.Table{
		Columns: []tabular.Column{{Name: "page"}, {Name: "hits", Right: true}, {Name: "note"}},
		Rows: [][]tabular.Cell{
			{{Text: "/"}, {Text: "7"}, {Text: "first"}},
			{{Text: "/日本"}, {Text: "1234567"}, {Null: true}},
			{{Text: "a\nb\x1b[2J"}, {Null: true}, {Text: "e\u0301 👩‍👩‍👧"}},
		},
	}
}

func TestDraw(t *testing.T) {
	for _, c := range []struct {
		name string
		draw func(b *strings.Builder) error
		want string
	}{
		{"columns", func(b *strings.Builder) error { return example().Draw(b, tabular.Style{}) }, "" +
			" page        │    hits │ note\n" +
			"─────────────┼─────────┼───────\n" +
			" /           │       7 │ first\n" +
			" /日本       │ 1234567 │ NULL\n" +
			` a\nb\x1b[2J │    NULL │ e` + "\u0301 👩‍👩‍👧\n"},
		{"columns cut", func(b *strings.Builder) error { return example().Draw(b, tabular.Style{Width: 28}) }, "" +
			" page     │    hits │ note\n" +
			"──────────┼─────────┼───────\n" +
			" /        │       7 │ first\n" +
			" /日本    │ 1234567 │ NULL\n" +
			` a\nb\x1… │    NULL │ e` + "\u0301 👩‍👩‍👧\n"},
		{"colours", func(b *strings.Builder) error { return example().Draw(b, tabular.Style{Color: true}) }, "" +
			" \x1b[1mpage\x1b[0m        │    \x1b[1mhits\x1b[0m │ \x1b[1mnote\x1b[0m\n" +
			"─────────────┼─────────┼───────\n" +
			" /           │       7 │ first\n" +
			" /日本       │ 1234567 │ \x1b[2mNULL\x1b[0m\n" +
			` a\nb\x1b[2J │    ` + "\x1b[2mNULL\x1b[0m │ e\u0301 👩‍👩‍👧\n"},
		{"vertical", func(b *strings.Builder) error {
			x := example()
			x.Rows = x.Rows[1:]
			return x.DrawVertical(b, tabular.Style{Width: 20})
		}, "" +
			"── row 1 ───────────\n page │ /日本\n hits │ 1234567\n note │ NULL\n" +
			"── row 2 ───────────\n page │ a\\nb\\x1b[2J\n hits │ NULL\n note │ e\u0301 👩‍👩‍👧\n"},
		{"Markdown", func(b *strings.Builder) error {
			x := example()
			x.Rows[0][2].Text = "a|b<c>*d*"
			return x.DrawMarkdown(b)
		}, "" +
			"| page | hits | note |\n| --- | ---: | --- |\n| / | 7 | a\\|b&lt;c>\\*d\\* |\n| /日本 | 1234567 | NULL |\n" +
			"| a\\\\nb\\\\x1b[2J | NULL | e\u0301 👩‍👩‍👧 |\n"},
		{"TSV", func(b *strings.Builder) error { return example().DrawTSV(b) }, "" +
			"page\thits\tnote\n/\t7\tfirst\n/日本\t1234567\t\\N\na\\nb\x1b[2J\t\\N\te\u0301 👩‍👩‍👧\n"},
		{"no rows", func(b *strings.Builder) error {
			return (&tabular.Table{Columns: []tabular.Column{{Name: "a"}}}).Draw(b, tabular.Style{Width: 80})
		}, " a\n───\n"},
	} {
		var b strings.Builder
		if err := c.draw(&b); err != nil {
			t.Fatal(err)
		}
		if b.String() != c.want {
			t.Errorf("%s:\n%q\nwant\n%q\n%s", c.name, b.String(), c.want, b.String())
		}
	}
}

func TestFits(t *testing.T) {
	for width, want := range map[int]bool{0: true, 200: true, 28: true, 27: false, 1: false} {
		// 8 of the page, 7 of the hits, 5 of the note, and what stands between.
		if got := example().Fits(width); got != want {
			t.Errorf("in %d columns: %t, want %t", width, got, want)
		}
	}
}

// TestLines draws tables of any text: every line has one width, at most that of the
// terminal where the table fits, and none holds a character that a terminal obeys.
func TestLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		anything := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z \x00-\x1f\x7f-\x9f\x{200b}-\x{202e}日本😀]{0,30}`),
			rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) }))
		x := &tabular.Table{}
		columns := rapid.IntRange(1, 5).Draw(t, "columns")
		for range columns {
			x.Columns = append(x.Columns, tabular.Column{Name: anything.Draw(t, "name"), Right: rapid.Bool().Draw(t, "right")})
		}
		for range rapid.IntRange(0, 4).Draw(t, "rows") {
			row := make([]tabular.Cell, columns)
			for i := range row {
				row[i] = tabular.Cell{Text: anything.Draw(t, "text"), Null: rapid.Bool().Draw(t, "null")}
			}
			x.Rows = append(x.Rows, row)
		}
		width := rapid.IntRange(1, 120).Draw(t, "width")
		var b strings.Builder
		if err := x.Draw(&b, tabular.Style{Width: width}); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if len(lines) != 2+len(x.Rows) {
			t.Fatalf("%d lines of %d rows: %q", len(lines), len(x.Rows), lines)
		}
		for _, line := range lines {
			if i := strings.IndexFunc(line, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }); i >= 0 {
				t.Fatalf("%q has a control character at %d", line, i)
			}
			if w := tabular.Width(line); x.Fits(width) && w > width {
				t.Fatalf("%q is %d wide, in a terminal of %d", line, w, width)
			}
		}
	})
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"日本語", 4, "日…"}, {"日本語", 6, "日本語"}, {"e\u0301e\u0301e\u0301", 2, "e\u0301…"}, {"abc", 1, "…"}, {"abc", 0, ""},
	} {
		if got := tabular.Cut(c.text, c.width); got != c.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.text, c.width, got, c.want)
		}
	}
}
