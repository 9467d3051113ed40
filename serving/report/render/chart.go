package render

import (
	"errors"
)

// Chart is how a report draws its rows.
type Chart string

// The charts of CREATE REPORT.
const (
	ChartTable Chart = "table" // none, the rows speak; the zero value is the same
	ChartLine  Chart = "line"  // over the first time column
	ChartBar   Chart = "bar"   // by the first text column
)

// Check says what a chart misses in the columns of a report's query.
func (c Chart) Check(columns []Column) error {
	switch c {
	case "", ChartTable, ChartLine, ChartBar:
		return nil
	}
	return errors.New("unknown chart")
}

// SVG draws the document's chart.
func SVG(d *Document, width, height int) ([]byte, error) {
	return nil, errors.New("draw chart: not built yet")
}

// PNG draws the document's chart.
func PNG(d *Document, width, height int) ([]byte, error) {
	return nil, errors.New("draw chart: not built yet")
}
