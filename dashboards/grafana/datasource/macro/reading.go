package macro

import (
	"slices"
	"strings"
)

// reading are the words that a statement which changes nothing begins with.
var reading = []string{"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS"}

// ReadOnly refuses a text that is not one statement which only reads. Whoever may look at
// a dashboard may send SQL with the data source's token; even where that token may define
// and drop, a dashboard may not. Its error is an *Error.
func ReadOnly(text string) error {
	x := &expander{text: text}
	first, ended := true, false
	for at := 0; at < len(text); {
		t := next(text, at)
		at = t.end
		switch {
		case t.kind == space || first && t.kind == punctuation && text[t.start] == '(':
			continue
		case ended:
			return x.refuse(t.start, "there is a second statement", "a panel's query is one statement")
		case t.kind == punctuation && text[t.start] == ';':
			ended = true
		case first && !slices.Contains(reading, strings.ToUpper(text[t.start:t.end])):
			return x.refuse(t.start, "a query of Grafana only reads", "begin it with SELECT, WITH, SHOW, DESCRIBE or EXISTS; define and drop with millrace sql")
		}
		first = false
	}
	if first {
		return x.refuse(0, "there is no statement", "write a SELECT")
	}
	return nil
}

// Selects tells whether a statement that ReadOnly took is a SELECT, as opposed to SHOW,
// DESCRIBE or EXISTS.
func Selects(text string) bool {
	for at := 0; at < len(text); {
		t := next(text, at)
		at = t.end
		if t.kind == word {
			first := strings.ToUpper(text[t.start:t.end])
			return first == "SELECT" || first == "WITH"
		}
	}
	return false
}

// WithoutEnd cuts a statement that ReadOnly took before the semicolon at its end.
func WithoutEnd(text string) string {
	for at := 0; at < len(text); {
		t := next(text, at)
		if t.kind == punctuation && text[t.start] == ';' {
			return text[:t.start]
		}
		at = t.end
	}
	return text
}
