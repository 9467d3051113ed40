package chhttp

import (
	"strings"
	"testing"
)

func TestScanNeverTakesTheInsideOfATextForAWord(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT a,b":                              "SELECT|a|,|b",
		"SELECT 'it''s (a)' , 'it\\'s'":           "SELECT|'it''s (a)'|,|'it\\'s'",
		"`a ``b` \"c\\\"d\" e":                    "`a ``b`|\"c\\\"d\"|e",
		"-- user()\n# user()\n/* user() */ f ( )": "f|(|)",
		"$$user() '$$ + $a$ $$ user() $a$":        "$$user() '$$|+|$a$ $$ user() $a$",
		"'never closed user()":                    "'never closed user()",
		"/* never closed user()":                  "",
		"$x user()":                               "$x|user|(|)",
		"größe(1)":                                "größe|(|1|)",
	} {
		var got []string
		for _, s := range scan(text) {
			got = append(got, s.text(text))
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%q: %q, want %q", text, strings.Join(got, "|"), want)
		}
	}
}

func TestSubstitutePutsConstantsInThePlaceOfCalls(t *testing.T) {
	constants := map[string]string{"user": "'ann'"}
	for text, want := range map[string]string{
		"SELECT user()":                  "SELECT ('ann' AS `user()`)",
		"SELECT USER ( /* me */ ) AS u":  "SELECT ('ann' AS `USER()`) AS u",
		"SELECT user, x.user(), user(1)": "SELECT user, x.user(), user(1)",
		"SELECT 'user()', `user`()":      "SELECT 'user()', `user`()",
		"SELECT user(), user()":          "SELECT ('ann' AS `user()`), ('ann' AS `user()`)",
	} {
		if got := substitute(text, scan(text), constants); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// FuzzScan: tokens come in order, do not overlap, are not empty, and leave out blanks and
// comments only; substituting nothing gives the text back.
func FuzzScan(f *testing.F) {
	for _, text := range []string{"SELECT user()", "'", "$$", "$a$$a$", "/*", "--", "`\\`", "\"\"\"", "#\n", "\x80$"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		end := 0
		for _, s := range scan(text) {
			if s.from < end || s.to <= s.from || s.to > len(text) {
				t.Fatalf("%q: token %+v after %d", text, s, end)
			}
			between := strings.TrimLeft(text[end:s.from], " \t\n\v\f\r")
			if between != "" && !strings.HasPrefix(between, "--") && !strings.HasPrefix(between, "#") && !strings.HasPrefix(between, "/*") {
				t.Fatalf("%q: left out %q", text, between)
			}
			end = s.to
		}
		if got := substitute(text, scan(text), nil); got != text {
			t.Fatalf("%q became %q", text, got)
		}
	})
}
