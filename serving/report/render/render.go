// Package render makes a report's documents: HTML mail with its text alternative, XLSX, PDF
// and charts.
//
// The one invariant: a document shows what the table holds. A cell that a format cannot hold
// (a 64-bit integer in a spreadsheet's double, a control character in XML) is written as text or
// visibly replaced, a table that was cut says so, and an answer that is incomplete says so
// on its first page.
package render

import (
	"time"
)

// Column is a column of a report's answer; Type is ClickHouse's.
type Column struct{ Name, Type string }

// Table is a report's answer. A cell is nil, bool, int64, uint64, float64, string or time.Time;
// everything else (arrays, decimals, maps…) is its ClickHouse text as string. A Date is
// midnight in UTC and is shown as that day in every zone.
type Table struct {
	Columns   []Column
	Rows      [][]any
	Truncated bool // the query had more rows than were read
}

// Source is a stream or view that the report read, and how far its answer reached.
type Source struct {
	Name       string
	Generation uint64    // of a view's publication, 0 for a stream
	CutTime    time.Time // the batch layer answers up to here, the speed layer from here on
	Complete   bool      // false: events are missing from the answer
	LagMs      int64     // how far the speed layer is behind the stream
}

// Document is everything that a report's documents are made of.
type Document struct {
	Name, Title, Query string
	Tick               time.Time      // the time that the schedule named
	Zone               *time.Location // of the schedule: times are shown in it; nil is UTC
	Table              Table
	Chart              Chart
	Sources            []Source
	Attachment         string // the name of a file beside the mail that has all rows, "" for none
	Unsubscribe        string // a link, "" for none
}

// Image is a picture that a mail's page names as cid:ContentID.
type Image struct {
	ContentID, ContentType, Name string
	Data                         []byte
}

func (d *Document) title() string {
	if title := nameOf(d.Title); title != "" {
		return title
	}
	return nameOf(d.Name)
}

func (d *Document) zone() *time.Location {
	if d.Zone == nil {
		return time.UTC
	}
	return d.Zone
}
