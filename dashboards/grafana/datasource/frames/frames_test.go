package frames

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/millrace/millrace/serving/client"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// every is one column of each kind, with a value and whether it may be null.
var every = []struct {
	columnType string
	value      any
	null       bool
}{
	{"Bool", true, false}, {"Nullable(Bool)", true, true}, {"Int8", int64(-1), false}, {"Nullable(Int64)", int64(1), true}, {"UInt64", uint64(1), false},
	{"LowCardinality(Nullable(UInt8))", uint64(1), true}, {"Float32", 1.5, true}, {"Decimal(9, 2)", json.Number("1.25"), true}, {"UInt256", json.Number("7"), true},
	{"Int128", "12", true}, {"String", "a", false}, {"LowCardinality(String)", "a", false}, {"LowCardinality(Nullable(String))", "a", true}, {"UUID", "u", false},
	{"IPv4", "::1", false}, {"Enum8('a' = 1)", "a", false}, {"Date", at, false}, {"Nullable(DateTime64(3, 'UTC'))", at, true},
	{"Array(UInt8)", []any{json.Number("1")}, false}, {"Map(String, String)", map[string]any{"a": "b"}, false},
}

// TestFieldsFollowFromColumns: the fields are the same without rows, with values, and with
// nulls where a column may have them.
func TestFieldsFollowFromColumns(t *testing.T) {
	for _, c := range every {
		a := client.Answer{Columns: []client.Column{{Name: "c", Type: c.columnType}}}
		empty, err := Table(&a)
		if err != nil {
			t.Fatal(err)
		}
		a.Rows = [][]any{{c.value}}
		if c.null {
			a.Rows = append(a.Rows, []any{nil})
		}
		full, err := Table(&a)
		if err != nil {
			t.Errorf("%s: %v", c.columnType, err)
			continue
		}
		field := full.Fields[0]
		if field.Type() != empty.Fields[0].Type() || field.Nullable() != c.null || field.Len() != len(a.Rows) {
			t.Errorf("%s is %s without rows and %s with", c.columnType, empty.Fields[0].Type(), field.Type())
		}
		if c.null && !field.NilAt(1) {
			t.Errorf("%s: null became %v", c.columnType, field.At(1))
		}
	}
	wrong := client.Answer{Columns: []client.Column{{Name: "c", Type: "Int64"}}, Rows: [][]any{{int64(1)}, {"x"}}}
	if _, err := Table(&wrong); err == nil || !strings.Contains(err.Error(), "read column c (Int64), row 2") {
		t.Errorf("%v", err)
	}
}

func series(rows ...[]any) *client.Answer {
	return &client.Answer{Columns: []client.Column{{Name: "n", Type: "UInt64"}, {Name: "window_start", Type: "Date"}, {Name: "time", Type: "DateTime"}, {Name: "ok", Type: "Nullable(Bool)"}}, Rows: rows}
}

// TestTimeSeries: rows in any order become ordered series; of two times, the one named
// time is the time and the other a label; rows without time are left out.
func TestTimeSeries(t *testing.T) {
	later := at.Add(time.Minute)
	f, err := TimeSeries(series([]any{uint64(3), at, later, true}, []any{uint64(9), at, nil, true}, []any{uint64(1), at, at, true}, []any{uint64(2), at, at, nil}))
	if err != nil {
		t.Fatal(err)
	}
	if f.Rows() != 2 || len(f.Fields) != 3 || f.Fields[0].At(0) != at || f.Fields[0].At(1) != later {
		t.Fatalf("%v", f)
	}
	for _, field := range f.Fields[1:] {
		first, _ := field.ConcreteAt(0)
		switch field.Labels["ok"] {
		case "true":
			second, _ := field.ConcreteAt(1)
			if first != uint64(1) || second != uint64(3) {
				t.Errorf("%v, %v", first, second)
			}
		case "":
			if first != uint64(2) || !field.NilAt(1) {
				t.Errorf("%v, %v: a value that is not there is not zero", first, field.At(1))
			}
		}
		if field.Labels["window_start"] != "2026-01-02T03:04:05Z" {
			t.Errorf("labels %v", field.Labels)
		}
	}
	if empty, err := TimeSeries(series()); err != nil || len(empty.Fields) != 2 || empty.Fields[1].Type() != data.FieldTypeNullableUint64 {
		t.Errorf("without rows: %v, %v", empty, err)
	}
}

// TestTooManySeriesAreRefused: a label for each row would make a square of cells.
func TestTooManySeriesAreRefused(t *testing.T) {
	a := &client.Answer{Columns: []client.Column{{Name: "time", Type: "DateTime"}, {Name: "id", Type: "String"}, {Name: "n", Type: "Int64"}}}
	for i := range 2000 {
		a.Rows = append(a.Rows, []any{at.Add(time.Duration(i) * time.Second), string(rune(0x4E00 + i)), int64(i)})
	}
	var e *Error
	if _, err := TimeSeries(a); !errors.As(err, &e) || !strings.Contains(e.Detail, "2000 rows make too many series") || e.Hint == "" {
		t.Errorf("%v", err)
	}
}

// TestUnknownAgeIsAWarning: a partition of which the answer holds nothing has no age.
func TestUnknownAgeIsAWarning(t *testing.T) {
	for _, c := range []struct {
		p    client.Partition
		want data.NoticeSeverity
	}{
		{client.Partition{Head: 3}, data.NoticeSeverityWarning},
		{client.Partition{Position: 2, Head: 3, Arrival: at}, data.NoticeSeverityInfo},
	} {
		f := data.NewFrame("")
		Describe(f, []client.Source{{View: "v", Partitions: []client.Partition{c.p}}}, nil)
		if n := f.Meta.Notices; len(n) != 1 || n[0].Severity != c.want {
			t.Errorf("%+v: %v", c.p, n)
		}
	}
}
