// Package macro replaces Grafana's macros in SQL by the time range and interval of a
// panel: $__timeFilter(ts) becomes a condition of ClickHouse.
//
// The one invariant: only a macro is replaced. What stands in a string, a quoted name, a
// heredoc or a comment stays as it was typed, and a macro that cannot be replaced is
// refused with its place, never sent on.
package macro

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Scope is what macros are replaced by.
type Scope struct {
	From, To time.Time     // of the panel; To is exclusive
	Interval time.Duration // between two points of the panel
}

// seconds is the interval in whole seconds, the finest that every time type of ClickHouse
// can be cut to; it is rounded up, so that no more points come than were asked for.
func (s Scope) seconds() int64 {
	return max(int64((s.Interval+time.Second-1)/time.Second), 1)
}

// Macro describes one macro.
type Macro struct {
	Name string   `json:"name"` // with the dollar
	Args []string `json:"args"` // what stands in the parentheses; nil: it has none
	Help string   `json:"help"`

	expand func(s Scope, args []string) string
}

// List holds every macro.
var List = []Macro{
	{"$__timeFilter", []string{"column"}, "a condition: the column lies in the panel's time range", func(s Scope, args []string) string {
		return fmt.Sprintf("(%[1]s >= %[2]s AND %[1]s < %[3]s)", args[0], millis(s.From), millis(s.To))
	}},
	{"$__dateFilter", []string{"column"}, "a condition: the column, a Date, lies in the days of the panel's time range, in UTC", func(s Scope, args []string) string {
		return fmt.Sprintf("(%[1]s >= toDate('%[2]s') AND %[1]s <= toDate('%[3]s'))", args[0],
			s.From.UTC().Format(time.DateOnly), s.To.UTC().Format(time.DateOnly))
	}},
	{"$__timeInterval", []string{"column"}, "the column cut to the panel's interval: group by it", func(s Scope, args []string) string {
		return fmt.Sprintf("toStartOfInterval(%s, INTERVAL %d SECOND)", args[0], s.seconds())
	}},
	{"$__timeFrom", []string{}, "the beginning of the time range, a DateTime64(3)", func(s Scope, _ []string) string { return millis(s.From) }},
	{"$__timeTo", []string{}, "the end of the time range, a DateTime64(3)", func(s Scope, _ []string) string { return millis(s.To) }},
	{"$__fromTime", nil, "the beginning of the time range, a DateTime", func(s Scope, _ []string) string { return wholeSeconds(s.From) }},
	{"$__toTime", nil, "the end of the time range, a DateTime", func(s Scope, _ []string) string { return wholeSeconds(s.To) }},
	{"$__interval", nil, "the panel's interval, such as INTERVAL 60 SECOND", func(s Scope, _ []string) string {
		return fmt.Sprintf("INTERVAL %d SECOND", s.seconds())
	}},
	{"$__interval_ms", nil, "the panel's interval as a number of milliseconds", func(s Scope, _ []string) string {
		return strconv.FormatInt(s.Interval.Milliseconds(), 10)
	}},
}

func millis(t time.Time) string {
	return fmt.Sprintf("fromUnixTimestamp64Milli(%d, 'UTC')", t.UnixMilli())
}

func wholeSeconds(t time.Time) string { return fmt.Sprintf("toDateTime(%d, 'UTC')", t.Unix()) }

// Error says what was wrong with a text, where, and what to do.
type Error struct {
	Line, Column int // from 1; the column in characters
	Detail, Hint string
}

// Error says the place, the detail and the hint.
func (e *Error) Error() string {
	text := fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Detail)
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// Expand replaces the macros of a text. Its error is an *Error.
func Expand(text string, s Scope) (*Expanded, error) {
	x := &expander{text: text, scope: s}
	if err := x.run(); err != nil {
		return nil, err
	}
	return &Expanded{Text: x.out.String(), source: text, pieces: x.pieces}, nil
}

// Expanded is a text with its macros replaced.
type Expanded struct {
	Text   string
	source string
	pieces []piece
}

// piece is a part of the expanded text, from out on, and where it comes from.
type piece struct {
	out, in int
	copied  bool // byte by byte; else made by the macro at in
}

// Origin returns the place in the text as it was typed, line and column from 1, of what
// stands at an offset of the expanded text.
func (e *Expanded) Origin(offset int) (line, column int) {
	in := 0
	for _, p := range e.pieces {
		if p.out > offset {
			break
		}
		in = p.in
		if p.copied {
			in += offset - p.out
		}
	}
	return place(e.source, in)
}

// place is the line and column of an offset, the column in characters.
func place(text string, offset int) (line, column int) {
	before := text[:min(offset, len(text))]
	line = 1 + strings.Count(before, "\n")
	column = 1 + len([]rune(before[strings.LastIndexByte(before, '\n')+1:]))
	return line, column
}

// expander writes the expanded text.
type expander struct {
	text   string
	scope  Scope
	out    strings.Builder
	pieces []piece
}

// copy writes a part of the text as it is.
func (x *expander) copy(from, to int) {
	if from < to {
		x.pieces = append(x.pieces, piece{x.out.Len(), from, true})
		x.out.WriteString(x.text[from:to])
	}
}

// run writes the whole text.
func (x *expander) run() error {
	written := 0 // up to where the text is in the output
	for at := 0; at < len(x.text); {
		t := next(x.text, at)
		at = t.end
		if t.kind != macroName {
			continue
		}
		x.copy(written, t.start)
		end, err := x.one(t)
		if err != nil {
			return err
		}
		at, written = end, end
	}
	x.copy(written, len(x.text))
	return nil
}

// one writes what stands for a macro and returns its end.
func (x *expander) one(t token) (int, error) {
	name := x.text[t.start:t.end]
	m := find(name)
	if m == nil {
		return 0, x.refuse(t.start, fmt.Sprintf("there is no macro %s", name), "the macros are "+names())
	}
	end, args := t.end, []string(nil)
	if m.Args != nil {
		var err error
		if args, end, err = x.arguments(m, t); err != nil {
			return 0, err
		}
	}
	x.pieces = append(x.pieces, piece{x.out.Len(), t.start, false})
	x.out.WriteString(m.expand(x.scope, args))
	return end, nil
}

// arguments reads the parentheses after a macro's name and returns what stands in them,
// expanded, and their end.
func (x *expander) arguments(m *Macro, t token) (args []string, end int, err error) {
	usage := "write " + m.Name + "(" + strings.Join(m.Args, ", ") + ")"
	if t.end >= len(x.text) || x.text[t.end] != '(' {
		return nil, 0, x.refuse(t.start, m.Name+" has no parentheses after it", usage)
	}
	depth, start := 0, t.end+1
	for at := t.end; at < len(x.text); {
		part := next(x.text, at)
		at = part.end
		if part.kind != punctuation {
			continue
		}
		switch x.text[part.start] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case ',':
			if depth == 1 {
				args, start = append(args, x.text[start:part.start]), part.end
			}
		}
		if depth > 0 {
			continue
		}
		if last := x.text[start:part.start]; len(args) > 0 || strings.TrimSpace(last) != "" {
			args = append(args, last)
		}
		return x.checked(m, t, args, usage, part.end)
	}
	return nil, 0, x.refuse(t.end, "the parenthesis of "+m.Name+" is not closed", usage)
}

// checked counts the arguments of a macro and expands the macros in them.
func (x *expander) checked(m *Macro, t token, args []string, usage string, end int) ([]string, int, error) {
	if len(args) != len(m.Args) {
		return nil, 0, x.refuse(t.start, fmt.Sprintf("%s takes %s, not %d", m.Name, count(len(m.Args)), len(args)), usage)
	}
	offset := t.end + 1
	for i, arg := range args {
		if strings.TrimSpace(arg) == "" {
			return nil, 0, x.refuse(t.start, m.Name+" has an empty argument", usage)
		}
		inner, err := Expand(arg, x.scope)
		if err != nil {
			return nil, 0, x.within(err, offset)
		}
		args[i] = strings.TrimSpace(inner.Text)
		offset += len(arg) + 1
	}
	return args, end, nil
}

// within moves the place of an error in an argument to that in the whole text.
func (x *expander) within(err error, offset int) error {
	e := *err.(*Error) //nolint:errorlint // Expand returns no other
	line, column := place(x.text, offset)
	if e.Line == 1 {
		e.Column += column - 1
	}
	e.Line += line - 1
	return &e
}

func (x *expander) refuse(offset int, detail, hint string) *Error {
	line, column := place(x.text, offset)
	return &Error{line, column, detail, hint}
}

func count(n int) string {
	switch n {
	case 0:
		return "no argument"
	case 1:
		return "1 argument"
	}
	return strconv.Itoa(n) + " arguments"
}

func find(name string) *Macro {
	for i := range List {
		if List[i].Name == name {
			return &List[i]
		}
	}
	return nil
}

func names() string {
	list := make([]string, len(List))
	for i, m := range List {
		list[i] = m.Name
	}
	return strings.Join(list, ", ")
}
