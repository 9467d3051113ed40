package render

import (
	"fmt"
	"strings"

	"github.com/rivo/uniseg"
)

// Limits of the plain text: what a screen of a mail client without HTML shows at once.
const (
	maxTextRows    = 20
	maxTextColumns = 6
	maxTextCell    = 24
)

// Text returns the plain-text alternative of the mail.
func Text(d *Document) ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", d.title(), tickLine(d))
	for _, w := range warnings(d) {
		fmt.Fprintf(&b, "\n! %s\n", w)
	}
	b.WriteByte('\n')
	for _, f := range headline(d) {
		fmt.Fprintf(&b, "%s: %s", f.Label, f.Value)
		if f.Detail != "" {
			fmt.Fprintf(&b, " (%s)", f.Detail)
		}
		b.WriteByte('\n')
	}
	rows, columns := min(maxTextRows, len(d.Table.Rows)), min(maxTextColumns, len(d.Table.Columns))
	if rows > 0 {
		b.WriteByte('\n')
		writeAligned(&b, textCells(d, rows, columns), d.Table.Columns)
	}
	for _, note := range leftOut(d, rows, columns) {
		fmt.Fprintf(&b, "%s\n", note)
	}
	b.WriteString("\n-- \n")
	for _, line := range provenance(d) {
		fmt.Fprintf(&b, "%s\n", line)
	}
	fmt.Fprintf(&b, "Report %s of Millrace; times in %s.\n", nameOf(d.Name), d.zone())
	if d.Unsubscribe != "" {
		fmt.Fprintf(&b, "Unsubscribe: %s\n", d.Unsubscribe)
	}
	return []byte(b.String()), nil
}

// textCells returns the names of columns and the first rows.
func textCells(d *Document, rows, columns int) [][]string {
	cells := make([][]string, rows+1)
	for c := range columns {
		f := newFormatter(&d.Table, c, d.zone())
		cells[0] = append(cells[0], shorten(oneLine(f.column.Name), maxTextCell))
		for r := range rows {
			cells[r+1] = append(cells[r+1], f.brief(d.Table.Rows[r][c], maxTextCell))
		}
	}
	return cells
}

func writeAligned(b *strings.Builder, cells [][]string, columns []Column) {
	widths := make([]int, len(cells[0]))
	for _, row := range cells {
		for i, cell := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(cell))
		}
	}
	for _, row := range cells {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			space := strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell))
			if columns[i].align() == "right" {
				line.WriteString(space + cell)
			} else {
				line.WriteString(cell + space)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}
