// Package tabular draws answers for people: aligned columns, one value a line, or Markdown.
//
// The one invariant: whatever is in a value, the terminal sees printable text of the width
// that was counted; an event cannot move the cursor, change colours or turn text around.
package tabular

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

// Column is one column of a table.
type Column struct {
	Name  string
	Right bool // aligned to the right: numbers
}

// Cell is one value.
type Cell struct {
	Text string
	Null bool
}

// Table is what is drawn.
type Table struct {
	Columns []Column
	Rows    [][]Cell // each of as many cells as there are columns
}

// Style says how a table is drawn.
type Style struct {
	Width int  // of the terminal, in cells; 0: no limit
	Color bool // by ANSI sequences
}

const (
	// narrowest is how far a column is cut to make a table fit: fewer characters say
	// nothing.
	narrowest = 8
	// gap is what stands between two columns, " │ ".
	gap = 3
)

// The sequences of a style with colours.
const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	reset = "\x1b[0m"
)

// null is how NULL is shown.
const null = "NULL"

func (c Cell) clean() string {
	if c.Null {
		return null
	}
	return Clean(c.Text)
}

// Fits reports whether the table can be drawn within the width: by its columns, some of
// them cut.
func (t *Table) Fits(width int) bool {
	if width <= 0 {
		return true
	}
	least := 2 + gap*(len(t.Columns)-1)
	for i, w := range t.widths() {
		if !t.Columns[i].Right { // a number is never cut: what is left would be another number
			w = min(w, narrowest)
		}
		least += w
	}
	return least <= width
}

// widths are those that the columns would like to have.
func (t *Table) widths() []int {
	widths := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		widths[i] = Width(Clean(c.Name))
	}
	for _, row := range t.Rows {
		for i, c := range row {
			widths[i] = max(widths[i], Width(c.clean()))
		}
	}
	return widths
}

// fit takes width from the widest columns of text until all fit, or are as narrow as they
// may be.
func (t *Table) fit(widths []int, width int) {
	over := 2 + gap*(len(widths)-1) - width
	for _, w := range widths {
		over += w
	}
	for ; over > 0; over-- {
		widest := -1
		for i, w := range widths {
			if !t.Columns[i].Right && w > narrowest && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

// Draw writes the table by columns under a header.
func (t *Table) Draw(w io.Writer, s Style) error {
	out := bufio.NewWriter(w)
	widths := t.widths()
	if s.Width > 0 {
		t.fit(widths, s.Width)
	}
	header := make([]Cell, len(t.Columns))
	for i, c := range t.Columns {
		header[i] = Cell{Text: c.Name}
	}
	t.line(out, header, widths, s, bold)
	for i, width := range widths {
		if i > 0 {
			_, _ = out.WriteString("┼")
		}
		_, _ = out.WriteString(strings.Repeat("─", width+2))
	}
	_ = out.WriteByte('\n')
	for _, row := range t.Rows {
		t.line(out, row, widths, s, "")
	}
	return out.Flush()
}

// line writes one row. Nothing is written behind its last value.
func (t *Table) line(out *bufio.Writer, row []Cell, widths []int, s Style, style string) {
	for i, c := range row {
		separator := " "
		if i > 0 {
			separator = " │ "
		}
		_, _ = out.WriteString(separator)
		text := Cut(c.clean(), widths[i])
		pad := strings.Repeat(" ", widths[i]-Width(text))
		if t.Columns[i].Right {
			_, _ = out.WriteString(pad)
			pad = ""
		}
		if c.Null {
			paint(out, s, dim, text)
		} else {
			paint(out, s, style, text)
		}
		if i < len(row)-1 {
			_, _ = out.WriteString(pad)
		}
	}
	_ = out.WriteByte('\n')
}

// DrawVertical writes a line for each value, under the number of its row.
func (t *Table) DrawVertical(w io.Writer, s Style) error {
	out := bufio.NewWriter(w)
	widest := 0
	for _, c := range t.Columns {
		widest = max(widest, Width(Clean(c.Name)))
	}
	for n, row := range t.Rows {
		title := "── row " + strconv.Itoa(n+1) + " "
		rule := max(widest+gap+20-Width(title), 4)
		if s.Width > 0 {
			rule = max(min(rule, s.Width-Width(title)), 0)
		}
		paint(out, s, dim, title+strings.Repeat("─", rule))
		_ = out.WriteByte('\n')
		for i, c := range row {
			name := Clean(t.Columns[i].Name)
			paint(out, s, bold, " "+name)
			_, _ = out.WriteString(strings.Repeat(" ", widest-Width(name)) + " │ ")
			if c.Null {
				paint(out, s, dim, null)
			} else {
				paint(out, s, "", Clean(c.Text))
			}
			_ = out.WriteByte('\n')
		}
	}
	return out.Flush()
}

func paint(out *bufio.Writer, s Style, style, text string) {
	if s.Color && style != "" {
		text = style + text + reset
	}
	_, _ = out.WriteString(text)
}

// DrawMarkdown writes the table as Markdown has it.
func (t *Table) DrawMarkdown(w io.Writer) error {
	out := bufio.NewWriter(w)
	escape := strings.NewReplacer("|", `\|`, `\`, `\\`, "<", "&lt;", "`", "\\`", "*", `\*`, "_", `\_`)
	line := func(cell func(i int) string) {
		for i := range t.Columns {
			_, _ = out.WriteString("| " + cell(i) + " ")
		}
		_, _ = out.WriteString("|\n")
	}
	line(func(i int) string { return escape.Replace(Clean(t.Columns[i].Name)) })
	line(func(i int) string {
		if t.Columns[i].Right {
			return "---:"
		}
		return "---"
	})
	for _, row := range t.Rows {
		line(func(i int) string { return escape.Replace(row[i].clean()) })
	}
	return out.Flush()
}

// DrawTSV writes names and values between tabs, as ClickHouse's TabSeparatedWithNames.
func (t *Table) DrawTSV(w io.Writer) error {
	out := bufio.NewWriter(w)
	escape := strings.NewReplacer("\t", `\t`, "\n", `\n`, "\r", `\r`, `\`, `\\`, "\x00", `\0`)
	for i, c := range t.Columns {
		if i > 0 {
			_ = out.WriteByte('\t')
		}
		_, _ = out.WriteString(escape.Replace(c.Name))
	}
	_ = out.WriteByte('\n')
	for _, row := range t.Rows {
		for i, c := range row {
			if i > 0 {
				_ = out.WriteByte('\t')
			}
			if c.Null {
				_, _ = out.WriteString(`\N`)
				continue
			}
			_, _ = out.WriteString(escape.Replace(c.Text))
		}
		_ = out.WriteByte('\n')
	}
	return out.Flush()
}
