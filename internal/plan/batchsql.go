package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

// The batch back end. Names are quoted with backticks where needed.

// CreateTableSQL is the DDL of the view's batch table:
// _generation UInt64, _day Date32, _pane DateTime64(0,'UTC'), the keys, one
// AggregateFunction column per aggregate; AggregatingMergeTree partitioned by
// (_day, _generation), ordered by (_generation, _day, _pane, keys…). table is a bare name.
func (v *View) CreateTableSQL(table string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s (\n", sql.QuoteName(table))
	b.WriteString("  _generation UInt64,\n  _day Date32,\n  _pane DateTime64(0, 'UTC')")
	order := "_generation, _day, _pane"
	nullable := false
	for _, k := range v.Keys {
		fmt.Fprintf(&b, ",\n  %s %s", sql.QuoteName(k.Name), k.Type)
		order += ", " + sql.QuoteName(k.Name)
		nullable = nullable || k.Type.Nullable
	}
	for _, a := range v.Aggregates {
		fmt.Fprintf(&b, ",\n  %s %s", sql.QuoteName(a.Name), a.Func.StateType)
	}
	fmt.Fprintf(&b, "\n)\nENGINE = AggregatingMergeTree\nPARTITION BY (_day, _generation)\nORDER BY (%s)", order)
	if nullable {
		b.WriteString("\nSETTINGS allow_nullable_key = 1")
	}
	return b.String()
}

// RecomputeSQL is the INSERT … SELECT that recomputes whole event days into one
// generation. table is a bare name, from a table expression with the stream's columns;
// days are days since 1970 of the event time, nil for all.
//
// Its _seconds is the pane's start, floored by integer arithmetic on the ticks of the
// event time, since ClickHouse's toStartOfInterval has no times before 1970.
func (v *View) RecomputeSQL(table string, generation uint64, from string, days []int32) string {
	columns := []string{"_generation", "_day", "_pane"}
	values := []string{
		fmt.Sprintf("toUInt64(%d)", generation),
		"toDate32(toDateTime64(_seconds, 0, 'UTC'))",
		"toDateTime64(_seconds, 0, 'UTC')",
	}
	groups := []string{"_seconds"}
	for _, k := range v.Keys {
		columns = append(columns, sql.QuoteName(k.Name))
		values = append(values, plainSQL(k.Expr))
		groups = append(groups, k.Expr.ClickHouse())
	}
	for _, a := range v.Aggregates {
		columns = append(columns, sql.QuoteName(a.Name))
		values = append(values, a.stateSQL())
	}

	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s)\n", sql.QuoteName(table), strings.Join(columns, ", "))
	// Each day is a partition, and by default one INSERT may write to 100 of them.
	b.WriteString("SETTINGS max_partitions_per_insert_block = 0\n")
	fmt.Fprintf(&b, "WITH %s\n", v.paneSQL())
	fmt.Fprintf(&b, "SELECT %s\nFROM %s", strings.Join(values, ", "), from)
	if conditions := v.conditionsSQL(days); len(conditions) > 0 {
		fmt.Fprintf(&b, "\nWHERE %s", strings.Join(conditions, " AND "))
	}
	fmt.Fprintf(&b, "\nGROUP BY %s", strings.Join(groups, ", "))
	return b.String()
}

// stateSQL is the aggregate's -State call. Its arguments must have exactly the types of
// the state's column, since ClickHouse does not convert states.
func (a *Aggregate) stateSQL() string {
	name, params := a.Func.Batch, ""
	if i := strings.IndexByte(name, '('); i >= 0 {
		name, params = name[:i], name[i:]
	}
	args := make([]string, len(a.Args))
	for i, arg := range a.Args {
		args[i] = plainSQL(arg)
	}
	return name + "State" + params + "(" + strings.Join(args, ", ") + ")"
}

// plainSQL is the expression without LowCardinality, which is never part of a key's or a
// state's type.
func plainSQL(e Expr) string {
	if !e.Type().LowCardinality {
		return e.ClickHouse()
	}
	return fmt.Sprintf("CAST(%s AS %s)", e.ClickHouse(), e.Type().Plain())
}

// paneSQL defines _seconds.
func (v *View) paneSQL() string {
	column := v.timeColumn()
	name := sql.QuoteName(column.Name)
	if column.Type.Kind == event.Date {
		return fmt.Sprintf("toInt64(toUInt16(%s)) * %d AS _seconds", name, secondsPerDay)
	}
	ticks := v.Pane * event.Pow10[column.Type.Precision]
	return fmt.Sprintf("reinterpretAsInt64(%s) AS _ticks, %s * %d AS _seconds", name, floorSQL("_ticks", ticks), v.Pane)
}

// floorSQL divides an Int64 and rounds down. The divisor is Int64 too: a plain constant
// above 2^32 is UInt64, and would have ClickHouse take a negative dividend for a huge one.
func floorSQL(x string, divisor int64) string {
	return fmt.Sprintf("(intDiv(%s, toInt64(%d)) - (%s %% toInt64(%d) < 0))", x, divisor, x, divisor)
}

func (v *View) timeColumn() event.Column { return v.Stream.Schema.Columns[v.Stream.EventTime] }

// conditionsSQL returns what the rows of the given days meet.
func (v *View) conditionsSQL(days []int32) []string {
	var conditions []string
	if days != nil {
		conditions = v.daysSQL(days)
	}
	if v.Filter != nil {
		conditions = append(conditions, "("+Condition(v.Filter)+")")
	}
	return conditions
}

// daysSQL returns the condition of the event days twice: as bounds of the column itself,
// which let ClickHouse skip parts of Parquet files, and exactly.
func (v *View) daysSQL(days []int32) []string {
	if len(days) == 0 {
		return []string{"false"}
	}
	days = slices.Clone(days)
	slices.Sort(days)
	first, last := days[0], days[len(days)-1]
	numbers := make([]string, len(days))
	for i, d := range days {
		numbers[i] = fmt.Sprint(d)
	}
	var conditions []string
	name := sql.QuoteName(v.timeColumn().Name)
	if bound, ok := v.dayStartSQL(first); ok {
		conditions = append(conditions, name+" >= "+bound)
	}
	if bound, ok := v.dayStartSQL(last + 1); ok {
		conditions = append(conditions, name+" < "+bound)
	}
	exact := fmt.Sprintf("%s IN (%s)", floorSQL("_seconds", secondsPerDay), strings.Join(numbers, ", "))
	return append(conditions, exact)
}

// Days, since 1970, whose starts ClickHouse reads in every precision: DateTime64(9) ends
// in April 2262. Others get no bound.
const (
	firstBoundDay = -25567 // 1900-01-01
	lastBoundDay  = 106751 // 2262-04-11
	lastDate      = 65535  // of Date, 2149-06-06
)

// dayStartSQL is the start of a day as a constant of the event time's type; false where
// that type has no such day.
func (v *View) dayStartSQL(day int32) (string, bool) {
	text := time.Unix(int64(day)*secondsPerDay, 0).UTC().Format(time.DateOnly)
	t := v.timeColumn().Type
	if t.Kind == event.Date {
		return fmt.Sprintf("toDate('%s')", text), day >= 0 && day <= lastDate
	}
	return fmt.Sprintf("toDateTime64('%s 00:00:00', %d, 'UTC')", text, t.Precision), day >= firstBoundDay && day <= lastBoundDay
}
