// Package shell is the interactive side of millrace sql: an editor with history and
// completion, statements over several lines, and answers drawn for people.
//
// The one invariant: a statement that a person cancels, or leaves behind, is cancelled on
// the server too, and the prompt comes back; nothing that a server answers can end the
// shell or get hold of its terminal.
package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/millrace/millrace/serving/client"
)

// shownRows is how many rows of an answer a terminal gets at first: some screens full.
const shownRows = 1000

// Options of a shell.
type Options struct {
	Server     Server
	Greeting   string // the first line: what is at the other end
	Out        *os.File
	Format     string           // one of Formats
	Color      bool             // whether the terminal is to show colours
	History    string           // the file of history; empty: none is kept
	Interrupts <-chan os.Signal // Ctrl-C while a statement runs
	Wait       time.Duration    // for complete answers, see client.SQLOptions
}

// session is a shell at work.
type session struct {
	Printer
	server     Server
	editor     editor
	catalog    *catalog
	interrupts <-chan os.Signal
	ended      bool // by \q
}

// Run reads statements and commands from the terminal that standard input is and runs
// them, until Ctrl-D, \q, or the end of ctx.
func Run(ctx context.Context, o Options) error {
	past, err := openHistory(o.History)
	if err != nil {
		fmt.Fprintln(o.Out, err) // a session without yesterday's history is better than none
	}
	names := newCatalog(ctx, o.Server)
	defer names.close()
	size := func() (width, height int) {
		width, height, err := term.GetSize(int(o.Out.Fd()))
		if err != nil {
			return 0, 0
		}
		return width, height
	}
	s := &session{
		server: o.Server, catalog: names, interrupts: o.Interrupts,
		editor: newEditor(past, names.names, size, o.Color, func(err error) { fmt.Fprintln(o.Out, err) }),
		Printer: Printer{
			Out: o.Out, Format: o.Format, Expanded: Auto, Color: o.Color, Timing: true, Rows: shownRows, Wait: o.Wait, Progress: o.Out,
			Width: func() int { width, _ := size(); return width },
		},
	}
	fmt.Fprintln(o.Out, o.Greeting)
	fmt.Fprintln(o.Out, s.paint(dim, `End statements with ";". Tab completes, \? lists commands, Ctrl-D leaves.`))
	return s.loop(ctx)
}

// loop reads and runs inputs until they end.
func (s *session) loop(ctx context.Context) error {
	for !s.ended && ctx.Err() == nil {
		input, err := s.editor.read()
		switch {
		case errors.Is(err, errInterrupted):
			continue
		case errors.Is(err, io.EOF):
			fmt.Fprintln(s.Out)
			return nil
		case err != nil:
			return fmt.Errorf("read terminal: %w", err)
		}
		if trimmed := strings.TrimSpace(input); strings.HasPrefix(trimmed, `\`) {
			s.command(ctx, trimmed)
			continue
		}
		statements, _ := split(input)
		for _, st := range statements {
			if !s.statement(ctx, input, st) {
				break // what follows may build on it
			}
		}
	}
	return nil
}

// statement runs one statement of an input and reports whether it succeeded.
func (s *session) statement(ctx context.Context, input string, st statement) bool {
	if s.cancellable(ctx, func(ctx context.Context) error { return s.Run(ctx, s.server, st.text) }, input, st.offset) != nil {
		return false
	}
	first, _, _ := strings.Cut(strings.TrimSpace(st.text)+" ", " ")
	if strings.EqualFold(first, "CREATE") || strings.EqualFold(first, "DROP") {
		s.catalog.refresh()
	}
	return true
}

// cancellable runs what Ctrl-C cancels, and prints its error with its place in the input,
// where the statement begins at offset.
func (s *session) cancellable(ctx context.Context, run func(ctx context.Context) error, input string, offset int) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	watching := make(chan struct{})
	select {
	case <-s.interrupts: // of before
	default:
	}
	go func() {
		defer close(watching)
		select {
		case <-s.interrupts:
			cancel()
		case <-done:
		}
	}()
	start := time.Now()
	err := run(ctx)
	cancelled := ctx.Err() != nil
	close(done)
	<-watching
	cancel()
	if err != nil && cancelled {
		// The terminal has written ^C where the cursor stood.
		fmt.Fprintln(s.Out, clearLine+s.paint(yellow, "cancelled after "+Took(time.Since(start))))
		return err
	}
	if err != nil {
		s.fail(err, input, offset)
	}
	return err
}

// fail prints an error: where, what, and what to do.
func (s *session) fail(err error, input string, offset int) {
	var e *client.Error
	if !errors.As(err, &e) {
		fmt.Fprintln(s.Out, s.paint(red, "error: ")+Explain(err))
		return
	}
	moved := *e
	if e.Offset >= 0 && e.Line > 0 {
		moved.Offset += offset
		moved.Line, moved.Column = place(input, moved.Offset)
		fmt.Fprint(s.Out, Excerpt(&moved, input, s.width()))
	}
	moved.Hint = ""
	fmt.Fprintln(s.Out, s.paint(red, "error: ")+Explain(&moved))
	if e.Hint != "" {
		fmt.Fprintln(s.Out, s.paint(dim, "hint:  ")+e.Hint)
	}
}
