package shell

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/reeflective/readline"
	"github.com/reeflective/readline/inputrc"

	"github.com/millrace/millrace/cmd/millrace/tabular"
)

// errInterrupted is Ctrl-C at the prompt.
var errInterrupted = errors.New("interrupted")

// editor reads inputs. io.EOF ends them, errInterrupted drops one.
type editor interface {
	read() (string, error)
}

// lineEditor reads from the terminal that standard input is.
type lineEditor struct {
	shell    *readline.Shell
	size     func() (width, height int) // of the terminal
	fresh    bool                       // the next prompt begins an input
	past     *history
	known    func() names
	complain func(error) // of history that cannot be kept
}

// newEditor makes an editor with completion of what known returns.
func newEditor(h *history, known func() names, size func() (width, height int), color bool, complain func(error)) *lineEditor {
	e := &lineEditor{shell: readline.NewShell(inputrc.WithApp("millrace")), past: h, known: known, size: size, complain: complain}
	for name, value := range map[string]any{
		"completion-ignore-case":       true,  // completions are filtered here
		"cursor-position-probe":        false, // see room
		"menu-complete-display-prefix": true,  // Tab shows what there is, Tab again goes through it
		"multiline-column":             false,
		"input-meta":                   true, // letters beyond ASCII are letters
		"output-meta":                  true,
		"convert-meta":                 false,
		"bell-style":                   "none",
		"history-autosuggest":          false,
	} {
		if err := e.shell.Config.Set(name, value); err != nil {
			complain(fmt.Errorf("set up the editor: %s: %w", name, err))
		}
	}
	paint := func(style, text string) string {
		if !color {
			return text
		}
		return style + text + reset
	}
	e.shell.Prompt.Primary(func() string { return e.room() + paint(bold, prompt) + "> " })
	e.shell.AcceptMultiline = func(line []rune) bool { return whole(string(line)) }
	e.shell.Completer = e.complete
	if color {
		e.shell.SyntaxHighlighter = func(line []rune) string { return highlight(string(line)) }
	}
	e.shell.History.Add("statements", h)
	return e
}

// prompt is what stands before "> ".
const prompt = "millrace"

// room makes room for the input and a row below it, by scrolling where the prompt is near
// the bottom of the screen. The editor needs the row, and would else ask the terminal
// where the cursor is at each key; keys that come in together with the answer would be
// lost, as on a slow line or when typing ahead.
//
// It is a part of the prompt, printed at the beginning of its row: some lines down, which
// scrolls as far as it must, and as many up. Vertical tabs go down since the editor takes
// line breaks for lines of the prompt.
func (e *lineEditor) room() string {
	width, height := e.size()
	rows := 1
	if !e.fresh && width > 0 {
		for line := range strings.SplitSeq(string(*e.shell.Line()), "\n") {
			rows += 1 + (len(prompt)+2+tabular.Width(line))/width
		}
	}
	e.fresh = false
	rows = min(rows, height-1)
	if rows < 1 {
		return ""
	}
	return strings.Repeat("\v", rows) + fmt.Sprintf("\x1b[%dA", rows)
}

// whole tells whether an input can be run: a command, nothing, or statements of which the
// last is ended.
func whole(input string) bool {
	trimmed := strings.TrimSpace(input)
	if strings.HasPrefix(trimmed, `\`) {
		return true
	}
	_, complete := split(input)
	return complete
}

func (e *lineEditor) read() (string, error) {
	e.fresh = true
	line, err := e.shell.Readline()
	if errors.Is(err, readline.ErrInterrupt) {
		return "", errInterrupted
	}
	if err != nil {
		return "", err
	}
	if err := e.past.add(line); err != nil {
		e.complain(err)
	}
	return line, nil
}

// menuMargin is how many rows of the screen are not for candidates: prompt, headings of
// groups, and a row below.
const menuMargin = 8

// complete gives the editor its candidates. The editor takes the text back to the last
// blank for the word in question unless it is told another one, which must not be empty:
// behind a bracket or a point that mark is taken along.
func (e *lineEditor) complete(line []rune, cursor int) readline.Completions {
	text, rest := string(line[:cursor]), string(line[cursor:])
	prefix, found := complete(e.known(), commandCandidates(), text, rest)
	lead := ""
	if prefix == "" && text != "" {
		if c := text[len(text)-1]; !isSpace(c) && c < 0x80 {
			lead = string(c)
		}
	}
	if _, height := e.size(); height > 0 {
		// The menu must not push the prompt off the screen.
		found = found[:min(len(found), max(height-menuMargin-strings.Count(text+rest, "\n"), 1))]
	}
	out := make([]readline.Completion, len(found))
	for i, c := range found {
		value := c.text
		if !c.more {
			value += " "
		}
		out[i] = readline.Completion{Value: lead + value, Display: c.text, Description: c.about, Tag: c.group}
	}
	completions := readline.CompleteRaw(out).NoSort()
	completions.PREFIX = lead + prefix
	return completions
}

// highlight colours an input.
func highlight(input string) string {
	var b strings.Builder
	for _, p := range scan(input) {
		style := ""
		switch p.kind {
		case word:
			if slices.Contains(keywords, strings.ToUpper(p.text)) {
				style = cyan
			}
		case literal:
			style = green
		case number:
			style = yellow
		case comment:
			style = dim
		}
		if style == "" {
			b.WriteString(p.text)
			continue
		}
		// The editor cuts what it gets into lines: none may inherit a colour.
		for i, part := range strings.Split(p.text, "\n") {
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(style + part + reset)
		}
	}
	return b.String()
}

var _ editor = (*lineEditor)(nil)
