package plan

import (
	"strings"
	"time"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

// Limits of a stream's declaration.
const (
	MaxColumns       = 1024 // a row's columns; each costs memory in every batch
	MaxNameBytes     = 64   // of streams and views: names become file names, subjects and keys
	MaxColumnBytes   = 128  // of a column's name
	MaxPartitions    = 256  // each costs a log, a worker and a file per epoch
	defaultPartition = 4    // enough for every core of a small machine

	defaultRetention    = 72 * time.Hour // a long weekend without the batch layer
	defaultDedupeWindow = time.Hour
)

// Stream is a declared stream.
type Stream struct {
	Name         string
	Schema       *event.Schema // declared columns, then event.ExtraColumn
	EventTime    int           // column: DateTime64 or Date, not Nullable
	PartitionBy  []int         // columns; empty: requests are spread
	Partitions   int
	Retention    time.Duration // of the stream's log once sealed and covered; default 72h
	LakeTTL      time.Duration // how long the lake keeps events by arrival; 0: for ever
	DedupeKey    []int
	DedupeWindow time.Duration
}

// streamOptions lists the options of CREATE STREAM.
var streamOptions = []string{
	"event_time", "partition_by", "partitions", "retention", "lake_ttl", "dedupe_key", "dedupe_window",
}

// BuildStream checks a CREATE STREAM. Errors are *sql.Error with a position.
func BuildStream(c *sql.CreateStream) (*Stream, error) {
	if err := CheckName(c.Name, c.NamePos); err != nil {
		return nil, err
	}
	schema, err := buildSchema(c)
	if err != nil {
		return nil, err
	}
	given, err := newOptions(c.Options, streamOptions)
	if err != nil {
		return nil, err
	}
	s := &Stream{Name: c.Name, Schema: schema}
	if s.EventTime, err = eventTime(c, given, schema); err != nil {
		return nil, err
	}
	if s.PartitionBy, err = given.columns("partition_by", schema); err != nil {
		return nil, err
	}
	if s.Partitions, err = given.count("partitions", defaultPartition, MaxPartitions); err != nil {
		return nil, err
	}
	if s.Retention, err = given.duration("retention", defaultRetention); err != nil {
		return nil, err
	}
	if s.LakeTTL, err = given.duration("lake_ttl", 0); err != nil {
		return nil, err
	}
	if s.DedupeKey, err = given.columns("dedupe_key", schema); err != nil {
		return nil, err
	}
	if w, ok := given["dedupe_window"]; ok && s.DedupeKey == nil {
		return nil, refuse(w.Pos, "add dedupe_key = 'column'", "option dedupe_window has no meaning without dedupe_key")
	}
	if s.DedupeWindow, err = given.duration("dedupe_window", defaultDedupeWindow); err != nil {
		return nil, err
	}
	return s, nil
}

// CheckName refuses names of streams, views and reports that are not safe as a file name, a
// message subject and a key at once.
func CheckName(name string, pos sql.Pos) error {
	const hint = "use letters, digits and _, a letter first"
	if len(name) > MaxNameBytes {
		return refuse(pos, hint, "the name has %d bytes, the limit is %d", len(name), MaxNameBytes)
	}
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r != '_' && (r < '0' || r > '9')) {
			return refuse(pos, hint, "%s cannot be the name of a stream, view or report", sql.QuoteName(name))
		}
	}
	return nil
}

func buildSchema(c *sql.CreateStream) (*event.Schema, error) {
	if len(c.Columns) > MaxColumns {
		return nil, refuse(c.Columns[MaxColumns].Pos, "rare fields can stay undeclared: they are kept in "+event.ExtraColumn,
			"a stream has at most %d columns", MaxColumns)
	}
	columns := make([]event.Column, 0, len(c.Columns)+1)
	declared := make(map[string]bool, len(c.Columns))
	for _, d := range c.Columns {
		switch {
		case strings.HasPrefix(d.Name, "_"):
			return nil, refuse(d.Pos, "choose another first letter", "column names that begin with _ are reserved")
		case len(d.Name) > MaxColumnBytes:
			return nil, refuse(d.Pos, "", "the column's name has %d bytes, the limit is %d", len(d.Name), MaxColumnBytes)
		case declared[d.Name]:
			return nil, refuse(d.Pos, "", "column %s is declared twice", sql.QuoteName(d.Name))
		}
		t, err := ColumnType(d.Type)
		if err != nil {
			return nil, err
		}
		declared[d.Name] = true
		columns = append(columns, event.Column{Name: d.Name, Type: t})
	}
	columns = append(columns, event.Column{Name: event.ExtraColumn, Type: event.Type{Kind: event.String}})
	schema, err := event.NewSchema(columns...)
	if err != nil {
		return nil, refuse(c.Pos, "", "%v", err)
	}
	return schema, nil
}

// eventTime finds the column of the event time: the one that is named, else the only
// DateTime64 there is.
func eventTime(c *sql.CreateStream, given options, schema *event.Schema) (int, error) {
	const hint = "name it, as in WITH (event_time = 'ts')"
	name, err := given.text("event_time", "")
	if err != nil {
		return 0, err
	}
	if o, ok := given["event_time"]; ok {
		place, err := columnOf(name, o.Value.Pos, schema)
		if err != nil {
			return 0, err
		}
		if t := schema.Columns[place].Type; !isEventTime(t) {
			return 0, refuse(o.Value.Pos, "it must be DateTime64 or Date, and not Nullable", "column %s of type %s cannot be the event time", sql.QuoteName(name), t)
		}
		return place, nil
	}
	found := -1
	for i, column := range schema.Columns {
		if column.Type.Kind != event.DateTime64 || column.Type.Nullable {
			continue
		}
		if found >= 0 {
			return 0, refuse(c.Pos, hint, "several columns could be the event time: %s and %s",
				sql.QuoteName(schema.Columns[found].Name), sql.QuoteName(column.Name))
		}
		found = i
	}
	if found < 0 {
		return 0, refuse(c.Pos, hint, "no column is the event time")
	}
	return found, nil
}

func isEventTime(t event.Type) bool {
	return !t.Nullable && (t.Kind == event.DateTime64 || t.Kind == event.Date)
}
