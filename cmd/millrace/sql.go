package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/millrace/millrace/cmd/millrace/shell"
	"github.com/millrace/millrace/serving/client"
)

// sqlCommand runs statements from the arguments, a file or standard input; on a terminal
// without any it is a shell.
func sqlCommand(ctx context.Context, args []string) error {
	fs := flags("sql")
	file := fs.String("f", "", "file of statements; - is standard input")
	given := fs.String("e", "", "statements")
	format := fs.String("format", "table", strings.Join(shell.Formats, ", "))
	wait := fs.Duration("wait", 0, "wait until the answer is complete, for at most so long, such as 1s")
	server := serverFlags(fs, once)
	words, err := parse(fs, args)
	if err != nil {
		return err
	}
	terminal := isTerminal(os.Stdout)
	if err := shell.CheckFormat(*format, terminal); err != nil {
		return err
	}
	c, err := server()
	if err != nil {
		return err
	}
	var text string
	switch sources := countTrue(*file != "", *given != "", len(words) > 0); {
	case sources > 1:
		return errors.New("statements are given in several ways: use one of -e, -f and the argument")
	case *given != "":
		text = *given
	case len(words) > 0:
		text = strings.Join(words, " ")
	case *file == "" && isTerminal(os.Stdin) && terminal && os.Getenv("TERM") != "dumb":
		return interact(ctx, c, *format, *wait)
	default:
		if text, err = readStatements(*file); err != nil {
			return err
		}
	}
	p := shell.Printer{Out: os.Stdout, Format: *format, Expanded: shell.Off, Color: terminal && colours(), Wait: *wait}
	if terminal {
		p.Expanded, p.Width = shell.Auto, func() int { return columns(os.Stdout) }
	}
	if isTerminal(os.Stderr) {
		p.Progress = os.Stderr
	}
	if err := p.Run(ctx, c, text); err != nil {
		if excerpt := shell.Excerpt(err, text, columns(os.Stderr)); excerpt != "" {
			fmt.Fprint(os.Stderr, excerpt)
		}
		return err
	}
	return nil
}

func countTrue(facts ...bool) int {
	n := 0
	for _, is := range facts {
		if is {
			n++
		}
	}
	return n
}

// readStatements reads a file of statements, or standard input.
func readStatements(name string) (string, error) {
	if name == "" || name == "-" {
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return "", fmt.Errorf("read standard input: %w", err)
		}
		return string(text), nil
	}
	text, err := os.ReadFile(name)
	return string(text), err
}

// interact runs the shell.
func interact(ctx context.Context, c *client.Client, format string, wait time.Duration) error {
	// Ctrl-C belongs to the shell: it cancels a statement and not the process. What ends
	// the process must leave the terminal as it was, also in the middle of a line.
	ctx, stop := signal.NotifyContext(context.WithoutCancel(ctx), syscall.SIGTERM)
	defer stop()
	before, err := term.GetState(int(os.Stdin.Fd()))
	if err != nil {
		return fmt.Errorf("look at terminal: %w", err)
	}
	left := context.AfterFunc(ctx, func() {
		_ = term.Restore(int(os.Stdin.Fd()), before)
		fmt.Println()
		os.Exit(1)
	})
	defer left()
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	greeting, err := greet(ctx, c)
	if err != nil {
		return err
	}
	return shell.Run(ctx, shell.Options{
		Server: c, Greeting: greeting, Out: os.Stdout, Format: format, Color: colours(), History: historyFile(), Interrupts: interrupts, Wait: wait,
	})
}

// greet says what is at the other end; an error where nothing is.
func greet(ctx context.Context, c *client.Client) (string, error) {
	s, err := c.Status(ctx)
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status != 401 {
		return "Millrace at " + c.Address(), nil // it is there; the token's role may not look at its state
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Millrace %s at %s: %s, %s", s.Version, c.Address(),
		shell.Count(len(s.Streams), "stream"), shell.Count(len(s.Views), "view")), nil
}

// historyFile is where the shell keeps its history; empty where there is no home.
// MILLRACE_HISTORY names another file; set to nothing it says to keep none.
func historyFile() string {
	if file, ok := os.LookupEnv("MILLRACE_HISTORY"); ok {
		return file
	}
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "millrace", "sql_history")
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// columns is the width of a terminal; 0 where the file is none.
func columns(f *os.File) int {
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// colours tells whether a terminal is to show colours: unless its user or its kind says no.
func colours() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }
