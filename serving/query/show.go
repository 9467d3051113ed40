package query

import (
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
)

// texts builds a batch of String columns.
func texts(names []string, rows ...[]string) *event.Batch {
	columns := make([]event.Column, len(names))
	for i, n := range names {
		columns[i] = event.Column{Name: n, Type: event.Type{Kind: event.String}}
	}
	schema, err := event.NewSchema(columns...)
	if err != nil {
		panic(err) // the names are constants of this package
	}
	b := event.NewBatch(schema)
	for _, row := range rows {
		for i, s := range row {
			b.Columns[i].AppendString([]byte(s))
		}
		b.Rows++
	}
	return b
}

func (x *Executor) show(s *sql.Show) (Answer, error) {
	var rows [][]string
	switch s.What {
	case "STREAMS":
		for _, t := range x.Catalog.Streams() {
			rows = append(rows, []string{t.Plan.Name, fmt.Sprint(t.Plan.Partitions), t.Plan.Schema.Columns[t.Plan.EventTime].Name})
		}
		return Answer{Batch: texts([]string{"name", "partitions", "event_time"}, rows...)}, nil
	case "VIEWS":
		for _, v := range x.Catalog.Views() {
			rows = append(rows, []string{v.Plan.Name, v.Plan.Stream.Name, v.Plan.Cron})
		}
		return Answer{Batch: texts([]string{"name", "stream", "batch"}, rows...)}, nil
	case "LEADERBOARDS":
		for _, v := range x.Catalog.Leaderboards() {
			rows = append(rows, []string{v.Plan.Name, v.Plan.Stream.Name, v.Board.Member.Name, v.Board.Score.Name, strings.Join(v.Board.WindowNames(), ", "), v.Plan.Cron})
		}
		return Answer{Batch: texts([]string{"name", "stream", "member", "score", "windows", "batch"}, rows...)}, nil
	case "TABLES":
		for _, t := range x.Catalog.Streams() {
			rows = append(rows, []string{t.Plan.Name, "stream"})
		}
		for _, v := range x.Catalog.Views() {
			kind := "view"
			if v.Board != nil {
				kind = "leaderboard"
			}
			rows = append(rows, []string{v.Plan.Name, kind})
		}
		return Answer{Batch: texts([]string{"name", "kind"}, rows...)}, nil
	case "FUNCTIONS":
		for _, f := range plan.Functions() {
			rows = append(rows, []string{f.Name, "scalar", f.Usage})
		}
		for _, f := range agg.Known() {
			rows = append(rows, []string{f, "aggregate", ""})
		}
		return Answer{Batch: texts([]string{"name", "kind", "usage"}, rows...)}, nil
	}
	return Answer{}, &sql.Error{Pos: s.Pos, Msg: "cannot show " + s.What, Hint: "SHOW STREAMS, VIEWS, LEADERBOARDS, TABLES or FUNCTIONS"}
}

func (x *Executor) describe(s *sql.Describe) (Answer, error) {
	var rows [][]string
	if t, err := x.Catalog.Stream(s.Name); err == nil {
		for i, c := range t.Plan.Schema.Columns {
			role := ""
			switch {
			case i == t.Plan.EventTime:
				role = "event time"
			case slices.Contains(t.Plan.PartitionBy, i):
				role = "partition key"
			case c.Name == event.ExtraColumn:
				role = "undeclared fields"
			}
			rows = append(rows, []string{c.Name, c.Type.String(), role})
		}
	} else if v, err := x.Catalog.View(s.Name); err == nil {
		for _, o := range v.Plan.Outputs {
			role := "key"
			switch {
			case v.Board != nil && o.Name == v.Board.Member.Name:
				role = "member"
			case v.Board != nil && o.Name == v.Board.Score.Name:
				role = "score"
			case o.Agg:
				role = "aggregate"
			}
			rows = append(rows, []string{o.Name, o.Type.String(), role})
		}
	} else {
		return Answer{}, &sql.Error{Pos: s.Pos, Msg: fmt.Sprintf("there is no stream or view %q", s.Name), Hint: x.known()}
	}
	return Answer{Batch: texts([]string{"name", "type", "role"}, rows...)}, nil
}

func (x *Executor) showCreate(s *sql.ShowCreate) (Answer, error) {
	if t, err := x.Catalog.Stream(s.Name); err == nil {
		return Answer{Batch: texts([]string{"statement"}, []string{t.SQL})}, nil
	}
	if v, err := x.Catalog.View(s.Name); err == nil {
		return Answer{Batch: texts([]string{"statement"}, []string{v.SQL})}, nil
	}
	return Answer{}, &sql.Error{Pos: s.Pos, Msg: fmt.Sprintf("there is no stream or view %q", s.Name), Hint: x.known()}
}

// known lists what there is, for the hint of an error.
func (x *Executor) known() string {
	var names []string
	for _, t := range x.Catalog.Streams() {
		names = append(names, t.Plan.Name)
	}
	for _, v := range x.Catalog.Views() {
		names = append(names, v.Plan.Name)
	}
	if len(names) == 0 {
		return "none is declared yet: CREATE STREAM makes the first"
	}
	return "there are " + strings.Join(names, ", ")
}
