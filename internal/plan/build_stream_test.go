package plan_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
)

// statement parses one statement.
func statement[T sql.Statement](t testing.TB, text string) T {
	t.Helper()
	statements, err := sql.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	s, ok := statements[0].(T)
	if !ok || len(statements) != 1 {
		t.Fatalf("%s: %d statements, the first %T", text, len(statements), statements[0])
	}
	return s
}

func stream(t testing.TB, text string) *plan.Stream {
	t.Helper()
	s, err := plan.BuildStream(statement[*sql.CreateStream](t, text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func TestBuildStream(t *testing.T) {
	s := stream(t, `CREATE STREAM clicks (
		ts DateTime64(3), at DateTime64(6, 'UTC'), user_id String, page LowCardinality(String), day Date,
		n Nullable(Int64), u UInt64, price Float64, ok Bool, c LowCardinality(Nullable(String)), d DateTime64
	) WITH (event_time = 'ts', partition_by = 'user_id, page', partitions = 8, retention = '7d', lake_ttl = '400d',
		dedupe_key = 'u', dedupe_window = '90m')`)
	var types []string
	for _, c := range s.Schema.Columns {
		types = append(types, c.Name+" "+c.Type.String())
	}
	want := []string{
		"ts DateTime64(3, 'UTC')", "at DateTime64(6, 'UTC')", "user_id String", "page LowCardinality(String)", "day Date",
		"n Nullable(Int64)", "u UInt64", "price Float64", "ok Bool", "c LowCardinality(Nullable(String))",
		"d DateTime64(3, 'UTC')", "_extra String",
	}
	if !reflect.DeepEqual(types, want) {
		t.Errorf("schema %q, want %q", types, want)
	}
	got := *s
	got.Schema = nil
	const day = 24 * time.Hour
	if want := (plan.Stream{
		Name: "clicks", EventTime: 0, PartitionBy: []int{2, 3}, Partitions: 8, Retention: 7 * day, LakeTTL: 400 * day,
		DedupeKey: []int{6}, DedupeWindow: 90 * time.Minute,
	}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestBuildStreamDefaults(t *testing.T) {
	s := stream(t, "CREATE STREAM s (a String, d Date, ts DateTime64(3))")
	if s.EventTime != 2 || s.Partitions != 4 || s.Retention != 72*time.Hour || s.LakeTTL != 0 || s.DedupeWindow != time.Hour ||
		s.PartitionBy != nil || s.DedupeKey != nil {
		t.Errorf("%+v", s)
	}
	if s := stream(t, "CREATE STREAM s (d Date) WITH (event_time = 'd')"); s.EventTime != 0 {
		t.Errorf("%+v", s)
	}
	if s.Schema.Columns[len(s.Schema.Columns)-1].Name != event.ExtraColumn {
		t.Error("the schema does not end with the extra column")
	}
}

func TestBuildStreamErrors(t *testing.T) {
	tests := []struct {
		text    string
		at      string // the text at the error's place
		message string
	}{
		{"CREATE STREAM `a/b` (ts Date)", "`a/b`", "`a/b` cannot be the name of a stream, view or report; use letters, digits and _"},
		{"CREATE STREAM _s (ts Date)", "_s", "_s cannot be the name"},
		{"CREATE STREAM " + strings.Repeat("s", 65) + " (ts Date)", "sss", "the limit is 64"},
		{"CREATE STREAM s (_a Int64)", "_a", "column names that begin with _ are reserved"},
		{"CREATE STREAM s (a Int64, a String)", "a String", "column a is declared twice"},
		{"CREATE STREAM s (a Int32)", "Int32", "unknown type Int32; use Int64; known types are Bool, Int64"},
		{"CREATE STREAM s (a Strng)", "Strng", "unknown type Strng; did you mean String?"},
		{"CREATE STREAM s (a Map(String, String))", "Map", "unknown type Map; known types are"},
		{"CREATE STREAM s (a Nullable(Foo))", "Foo", "unknown type Foo"},
		{"CREATE STREAM s (a Nullable(Nullable(String)))", "Nullable(N", "Nullable(String) cannot be in Nullable"},
		{"CREATE STREAM s (a Nullable(LowCardinality(String)))", "Nullable(L", "LowCardinality(String) cannot be in Nullable"},
		{"CREATE STREAM s (a LowCardinality(Int64))", "Int64", "LowCardinality takes String or Nullable(String), not Int64; write Int64 alone"},
		{"CREATE STREAM s (a Int64(3))", "Int64", "Int64 takes no arguments"},
		{"CREATE STREAM s (a Nullable)", "Nullable", "Nullable takes one type"},
		{"CREATE STREAM s (a DateTime64(10))", "DateTime64", "DateTime64 has precision 10; it must be from 0 to 9"},
		{"CREATE STREAM s (a DateTime64(3, 'Europe/Zurich'))", "DateTime64", `DateTime64 has zone "Europe/Zurich"; all times are UTC`},
		{"CREATE STREAM s (a Int64)", "CREATE", "no column is the event time; name it, as in WITH (event_time = 'ts')"},
		{"CREATE STREAM s (a DateTime64(3), b DateTime64(3))", "CREATE", "several columns could be the event time: a and b"},
		{"CREATE STREAM s (a Int64) WITH (event_time = 'a')", "'a'", "column a of type Int64 cannot be the event time"},
		{"CREATE STREAM s (ts Nullable(Date)) WITH (event_time = 'ts')", "'ts'", "cannot be the event time"},
		{"CREATE STREAM s (ts Date) WITH (event_time = 'tx')", "'tx'", "there is no column tx; did you mean ts? columns are ts"},
		{"CREATE STREAM s (ts Date) WITH (event_time = 3)", "3", "option event_time must be a string"},
		{"CREATE STREAM s (ts Date) WITH (event_time = 'ts', partition = 3)", "partition", "unknown option partition; did you mean partitions? options are"},
		{"CREATE STREAM s (ts Date) WITH (event_time = 'ts', event_time = 'ts')", "event_time = 'ts')", "given twice"},
		{"CREATE STREAM s (ts Date) WITH (event_time = 'ts', partitions = 257)", "257", "option partitions must be a whole number from 1 to 256"},
		{"CREATE STREAM s (ts Date) WITH (event_time = 'ts', partitions = 0)", "0)", "from 1 to 256"},
		{"CREATE STREAM s (ts Date) WITH (event_time = 'ts', partition_by = 'ts, ts')", "'ts, ts'", "option partition_by names column ts twice"},
		{"CREATE STREAM s (ts Date) WITH (event_time = 'ts', partition_by = '_extra')", "'_extra'", "there is no column _extra"},
		{"CREATE STREAM s (ts Date) WITH (event_time = 'ts', retention = '0s')", "'0s'", "longer than zero"},
		{"CREATE STREAM s (ts Date) WITH (event_time = 'ts', retention = 72)", "72", "must be a duration in quotes; as in '90s', '72h' or '7d'"},
		{"CREATE STREAM s (ts Date) WITH (event_time = 'ts', lake_ttl = 'soon')", "'soon'", "option lake_ttl"},
		{"CREATE STREAM s (ts Date) WITH (event_time = 'ts', dedupe_window = '1h')", "dedupe_window", "no meaning without dedupe_key"},
	}
	for _, tt := range tests {
		_, err := plan.BuildStream(statement[*sql.CreateStream](t, tt.text))
		checkRefusal(t, tt.text, err, tt.at, tt.message)
	}
}

// checkRefusal checks an error's message and what stands at its place.
func checkRefusal(t *testing.T, text string, err error, at, message string) {
	t.Helper()
	var e *sql.Error
	if !errors.As(err, &e) {
		t.Errorf("%s:\n no *sql.Error but %v", text, err)
		return
	}
	if !strings.Contains(e.Error(), message) || !strings.HasPrefix(text[e.Pos.Offset:], at) {
		t.Errorf("%s:\n got %v\nat   %s\nwant %s\nat   %s", text, e, text[e.Pos.Offset:], message, at)
	}
}

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"400d": 400 * day, "1d12h": 36 * time.Hour, "72h": 72 * time.Hour, "90s": 90 * time.Second, "0": 0, "0d": 0,
		"1.5h": 90 * time.Minute, "106751d": 106751 * day, "2d0s": 2 * day,
	} {
		if got, err := plan.ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "3", "-1h", "+1h", "-1d", "1d-1h", "1d+1h", "1.5d", "106752d", "106751d47h", "1h1d", "99999999999999999999d", "1d1d", "x"} {
		if got, err := plan.ParseDuration(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

func TestParseType(t *testing.T) {
	got, err := plan.ParseType("Nullable(DateTime64(6, 'UTC'))", sql.Pos{})
	if want := (event.Type{Kind: event.DateTime64, Precision: 6, Nullable: true}); err != nil || got != want {
		t.Errorf("%v, %v", got, err)
	}
	at := sql.Pos{Offset: 7, Line: 2, Column: 3}
	for _, text := range []string{"Foo", "Nullable(Foo)", "", "Int64)", "1"} {
		_, err := plan.ParseType(text, at)
		var e *sql.Error
		if !errors.As(err, &e) || e.Pos != at {
			t.Errorf("%q: %v", text, err)
		}
	}
}
