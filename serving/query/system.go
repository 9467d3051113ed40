package query

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/serving/query/vet"
)

// systemTables are the tables of the database system that a caller sees a version of its
// own of, with ClickHouse's columns: what clients ask to list what there is. settings has
// no rows: clients that read it at first set none of their own then.
var systemTables = []string{"databases", "tables", "columns", "functions", "settings"}

// table is one stream or view, as callers see it.
type table struct {
	name, kind, sql string
	columns         []column
}

type column struct{ name, typ, role string }

// tables lists what the caller may look at: streams, then views.
func (x *Executor) tables(p access.Principal) []table {
	var out []table
	for _, s := range x.Catalog.Streams() {
		if !p.May(access.Look, s.Plan.Name) {
			continue
		}
		t := table{name: s.Plan.Name, kind: "stream", sql: s.SQL}
		for i, c := range s.Plan.Schema.Columns {
			role := ""
			switch {
			case i == s.Plan.EventTime:
				role = "event time"
			case slices.Contains(s.Plan.PartitionBy, i):
				role = "partition key"
			case c.Name == event.ExtraColumn:
				role = "undeclared fields"
			}
			t.columns = append(t.columns, column{c.Name, c.Type.String(), role})
		}
		out = append(out, t)
	}
	for _, v := range x.Catalog.Views() {
		if !p.May(access.Look, v.Plan.Name) {
			continue
		}
		t := table{name: v.Plan.Name, kind: "view", sql: v.SQL}
		if v.Board != nil {
			t.kind = "leaderboard"
		}
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
			t.columns = append(t.columns, column{o.Name, o.Type.String(), role})
		}
		out = append(out, t)
	}
	return out
}

// engines are what system.tables says of streams and views. A view is named like a table:
// clients of ClickHouse leave out the columns of what they take for a stored query.
var engines = map[string]string{"stream": "MillraceStream", "view": "MillraceView"}

// systemTable puts the caller's version of a system table into the session.
func (j *job) systemTable(session *clickhouse.Session, p access.Principal, name string) error {
	target := vet.SystemPrefix + name
	if err := session.Exec(j.ctx, fmt.Sprintf("CREATE TEMPORARY TABLE %s AS system.%s ENGINE = Memory", target, name)); err != nil {
		return fmt.Errorf("make system.%s of a query: %w", name, err)
	}
	if name == "functions" {
		return session.Exec(j.ctx, "INSERT INTO "+target+" SELECT * FROM system.functions WHERE name IN ("+vet.FunctionList()+")")
	}
	var b *event.Batch
	switch name {
	case "settings":
		return nil
	case "databases":
		b = texts([]string{"name", "engine", "comment"}, []string{Database, "Millrace", "streams and views"})
	case "tables":
		b = texts([]string{"database", "name", "engine", "create_table_query", "comment"})
		for _, t := range j.x.tables(p) {
			for i, s := range []string{Database, t.name, engines[t.kind], t.sql, t.kind} {
				b.Columns[i].AppendString([]byte(s))
			}
			b.Rows++
		}
	case "columns":
		b = batchOf(append(textColumns("database", "table", "name", "type", "comment"), event.Column{Name: "position", Type: event.Type{Kind: event.UInt64}})...)
		for _, t := range j.x.tables(p) {
			for i, c := range t.columns {
				for k, s := range []string{Database, t.name, c.name, c.typ, c.role} {
					b.Columns[k].AppendString([]byte(s))
				}
				b.Columns[5].AppendUInt64(uint64(i + 1))
				b.Rows++
			}
		}
	}
	return session.Insert(j.ctx, target, b)
}
