package shell

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/cmd/millrace/tabular"
	"github.com/millrace/millrace/serving/client"
)

// Server runs statements: a *client.Client.
type Server interface {
	// Rows runs statements and reads the answer of the last one.
	Rows(ctx context.Context, statements string, o client.SQLOptions) (*client.Rows, error)
	// SQL is Rows with the answer as the server writes it.
	SQL(ctx context.Context, statements string, o client.SQLOptions) (*client.Result, error)
}

// Formats are the formats of answers. The first four are drawn here, the others are the
// server's.
var Formats = []string{"table", "vertical", "markdown", "tsv", "json", "ndjson", "csv", "arrow", "parquet"}

// drawn tells whether a format is made here.
func drawn(format string) bool { return slices.Index(Formats, format) < 4 }

// binary tells whether a format garbles a terminal.
func binary(format string) bool { return format == "arrow" || format == "parquet" }

// Expanded says when a table is drawn with one value a line.
type Expanded string

// When a table is expanded: never, always, or where its columns do not fit.
const (
	Off  Expanded = "off"
	On   Expanded = "on"
	Auto Expanded = "auto"
)

// Printer runs statements and prints their answers.
type Printer struct {
	Out      io.Writer
	Format   string // one of Formats
	Expanded Expanded
	Width    func() int // of the terminal; nil: no limit
	Color    bool
	Timing   bool
	Rows     int           // most rows of a table that are drawn; 0: all
	Columns  []string      // of a table, the only ones that are drawn; nil: all
	Wait     time.Duration // for complete answers, see client.SQLOptions
	// Progress gets a line that says how long the statement runs; nil: nobody looks.
	Progress io.Writer
}

// CheckFormat returns an error where a format is not known, or would garble a terminal.
func CheckFormat(format string, terminal bool) error {
	switch {
	case !slices.Contains(Formats, format):
		return fmt.Errorf("unknown format %q: use one of %s", format, strings.Join(Formats, ", "))
	case terminal && binary(format):
		return fmt.Errorf("format %s is binary and would garble the terminal: send it to a file with > answer.%s", format, format)
	}
	return nil
}

// Run runs statements and prints the answer of the last one.
func (p *Printer) Run(ctx context.Context, s Server, statements string) error {
	start := time.Now()
	clock := startClock(p.Progress, start)
	defer clock.end()
	if !drawn(p.Format) {
		result, err := s.SQL(ctx, statements, client.SQLOptions{Format: p.Format, Wait: p.Wait})
		clock.end()
		if err != nil {
			return err
		}
		defer result.Body.Close()
		if _, err := io.Copy(p.Out, result.Body); err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		return nil
	}
	rows, err := s.Rows(ctx, statements, client.SQLOptions{Wait: p.Wait})
	if err != nil {
		return err
	}
	defer rows.Close()
	t, total, err := p.collect(rows, clock)
	clock.end()
	if err != nil {
		return err
	}
	took := time.Since(start)
	switch p.Format {
	case "markdown":
		return t.DrawMarkdown(p.Out)
	case "tsv":
		return t.DrawTSV(p.Out)
	}
	if err := p.draw(t); err != nil {
		return err
	}
	return p.footer(len(t.Rows), total, rows.Sources(), took)
}

// collect reads an answer, and keeps of it what is to be drawn.
func (p *Printer) collect(rows *client.Rows, clock *clock) (*tabular.Table, int, error) {
	t := &tabular.Table{}
	var drawn []int
	for i, c := range rows.Columns() {
		if p.Columns == nil || slices.Contains(p.Columns, c.Name) {
			t.Columns = append(t.Columns, tabular.Column{Name: c.Name, Right: numeric(c.Type)})
			drawn = append(drawn, i)
		}
	}
	total := 0
	for rows.Next() {
		total++
		clock.rows.Store(int64(total))
		if p.Rows > 0 && total > p.Rows && p.Format != "tsv" && p.Format != "markdown" {
			continue
		}
		row := make([]tabular.Cell, len(drawn))
		for i, column := range drawn {
			row[i] = Text(rows.Raw()[column])
		}
		t.Rows = append(t.Rows, row)
	}
	return t, total, rows.Err()
}

func (p *Printer) width() int {
	if p.Width == nil {
		return 0
	}
	return p.Width()
}

func (p *Printer) draw(t *tabular.Table) error {
	style := tabular.Style{Width: p.width(), Color: p.Color}
	expanded := p.Format == "vertical" || p.Expanded == On || p.Expanded == Auto && !t.Fits(style.Width)
	if expanded && len(t.Rows) > 0 {
		return t.DrawVertical(p.Out, style)
	}
	return t.Draw(p.Out, style)
}

// footer says how many rows there are and what they are made of.
func (p *Printer) footer(shown, total int, sources []client.Source, took time.Duration) error {
	parts := []string{Count(total, "row")}
	if shown < total {
		parts[0] = fmt.Sprintf("the first %s of %s", thousands(shown), parts[0])
	}
	if len(sources) == 1 {
		parts = append(parts, Made(sources[0]))
	}
	if p.Timing {
		parts = append(parts, Took(took))
	}
	text := p.paint(dim, strings.Join(parts, " · ")) + "\n"
	if len(sources) > 1 {
		for _, s := range sources {
			text += p.paint(dim, "  "+Made(s)) + "\n"
		}
	}
	_, err := io.WriteString(p.Out, text)
	return err
}

// Made says what an answer is made of, in a line.
func Made(s client.Source) string {
	name := s.View + s.Leaderboard + s.Stream
	if name != "" {
		name = tabular.Clean(name) + ": "
	}
	if s.View+s.Leaderboard == "" {
		return name + "every acknowledged event"
	}
	state := "complete"
	switch lag := time.Duration(s.LagMillis) * time.Millisecond; {
	case s.Complete:
	case lag > unlikelyLag: // counted from the beginning of time, as nothing has arrived yet
		state = "not complete yet"
	default:
		state = Took(lag) + " behind"
	}
	if s.Leaderboard != "" {
		return name + state
	}
	return fmt.Sprintf("%sgeneration %d merged with speed, %s", name, s.Generation, state)
}

// unlikelyLag is beyond every real one: events are that old where a partition has none.
const unlikelyLag = 10 * 365 * 24 * time.Hour

// Took is a span as people read it.
func Took(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// Count is a number of things.
func Count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return thousands(n) + " " + what
}

// thousands is a number with a comma between thousands.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// numeric tells whether a type's values are numbers.
func numeric(columnType string) bool {
	t := client.Bare(columnType)
	for _, prefix := range []string{"Int", "UInt", "Float", "Decimal", "BFloat"} {
		if strings.HasPrefix(t, prefix) && !strings.HasPrefix(t, "Interval") {
			return true
		}
	}
	return false
}

// Text is a value as people read it: a string without its quotes, anything else as JSON
// has it.
func Text(raw json.RawMessage) tabular.Cell {
	if len(raw) == 0 || string(raw) == "null" {
		return tabular.Cell{Null: true}
	}
	var s string
	if raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return tabular.Cell{Text: s}
	}
	return tabular.Cell{Text: string(raw)}
}

// The sequences of text with colours.
const (
	dim    = "\x1b[2m"
	bold   = "\x1b[1m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	cyan   = "\x1b[36m"
	yellow = "\x1b[33m"
	reset  = "\x1b[0m"
)

func (p *Printer) paint(style, text string) string {
	if !p.Color {
		return text
	}
	return style + text + reset
}
