package vet

import (
	"strings"
	"testing"
)

// FuzzScan holds that tokens are pieces of the text, in order, with nothing but blanks
// and comments between them, and that what is cut from them stays within the text.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{"SELECT 1", "a'b\\'c'`d``e`\"f\" -- x\n/* y */ $t$ z $t$ # w\n;;", "'", "`", "/*", "$$", "SELECT 1 FORMAT JSON;", "é'\x00\\", "a.`b`.c(1.5e3)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at := 0
		for _, token := range scan(s) {
			if token.start < at || token.end <= token.start || token.end > len(s) {
				t.Fatalf("token %+v after %d in %q", token, at, s)
			}
			at = token.end
		}
		last := 0
		for _, statement := range Split(s) {
			if statement.Start < last || statement.End <= statement.Start || statement.End > len(s) {
				t.Fatalf("statement %+v after %d in %q", statement, last, s)
			}
			last = statement.End
		}
		if rest, _ := CutFormat(s); !strings.HasPrefix(s, rest) {
			t.Fatalf("%q is no beginning of %q", rest, s)
		}
		if p := Place(s, len(s)); p.Offset != len(s) || p.Line < 1 || p.Column < 1 {
			t.Fatalf("the end of %q is at %+v", s, p)
		}
		q := Query{Text: s, MayRead: func(string) bool { return true }, Databases: []string{"a"}, System: []string{"b"}, Constants: map[string]string{"c": "d"}}
		rewrite(&q, scan(s))
	})
}

// FuzzTree holds that a tree has as many children as its lines say.
func FuzzTree(f *testing.F) {
	for _, seed := range []string{
		"SelectQuery (children 1)\n ExpressionList (children 2)\n  Literal UInt64_1\n  Identifier a (alias b)", "Function sum (children 1)\n  x", "Literal 'a (children 2)'",
		"A (children 1)\n B (children 0)\nC", "", " A", "A (children -1)", "A (children 99999999999999999999)",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lines := strings.Split(s, "\n")
		tree, err := parseTree(lines)
		if err != nil {
			return
		}
		var count func(n *node) int
		count = func(n *node) int {
			total := 1
			for _, c := range n.children {
				if c.depth != n.depth+1 {
					t.Fatalf("%q lies at depth %d below %d", c.kind, c.depth, n.depth)
				}
				total += count(c)
			}
			return total
		}
		if n := count(tree); n != len(lines) {
			t.Fatalf("%d nodes of %d lines", n, len(lines))
		}
	})
}
