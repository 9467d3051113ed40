package shell

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/cmd/millrace/tabular"
	"github.com/millrace/millrace/serving/client"
)

// Excerpt shows the place of an error in the text of its statements: the line, and a
// caret under the place. It is empty where the error has no place.
func Excerpt(err error, text string, width int) string {
	var e *client.Error
	if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(text) || e.Line < 1 {
		return ""
	}
	start := strings.LastIndexByte(text[:e.Offset], '\n') + 1
	line, _, _ := strings.Cut(text[start:], "\n")
	at := min(e.Offset-start, len(line))
	for at > 0 && at < len(line) && !utf8.RuneStart(line[at]) {
		at--
	}
	// Tabs would move what follows by different widths in the two lines.
	before := tabular.Clean(strings.ReplaceAll(line[:at], "\t", " "))
	after := tabular.Clean(strings.ReplaceAll(strings.TrimRight(line[at:], "\r"), "\t", " "))
	if width > 0 {
		// Of a long line the part around the place is shown.
		if room := width * 2 / 3; tabular.Width(before) > room {
			for tabular.Width(before) > room-1 {
				_, size := utf8.DecodeRuneInString(before)
				before = before[size:]
			}
			before = "…" + before
		}
		after = tabular.Cut(after, width-1-tabular.Width(before))
	}
	return before + after + "\n" + strings.Repeat(" ", tabular.Width(before)) + "^\n"
}

// place is the line and column, both from 1, of a byte of a text.
func place(text string, offset int) (line, column int) {
	before := text[:min(offset, len(text))]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[start:]) + 1
}

// Explain is an error as people read it, with what to do where the server cannot say it.
func Explain(err error) string {
	var dial *net.OpError
	var e *client.Error
	switch {
	case errors.As(err, &e) && e.Status == http.StatusUnauthorized:
		return err.Error() + " (give a token: --token-file FILE, or MILLRACE_TOKEN)"
	case errors.As(err, &dial) && dial.Op == "dial":
		return err.Error() + " (is the server up? start it with: millrace up)"
	}
	return err.Error()
}
