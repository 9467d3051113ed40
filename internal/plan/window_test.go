package plan_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/plan"
)

var unitNames = map[plan.Unit]string{
	plan.Second: "SECOND", plan.Minute: "MINUTE", plan.Hour: "HOUR", plan.Day: "DAY",
	plan.Week: "WEEK", plan.Month: "MONTH", plan.Quarter: "QUARTER", plan.Year: "YEAR",
}

func TestWindowStart(t *testing.T) {
	tests := []struct {
		n           int64
		unit        plan.Unit
		time        string
		start, next string
	}{
		{10, plan.Second, "2024-05-01 10:11:12", "2024-05-01 10:11:10", "2024-05-01 10:11:20"},
		{15, plan.Minute, "1969-12-31 23:59:59", "1969-12-31 23:45:00", "1970-01-01 00:00:00"},
		{2880, plan.Minute, "1970-01-02 00:00:00", "1970-01-01 00:00:00", "1970-01-03 00:00:00"},
		{7, plan.Day, "1969-12-31 00:00:00", "1969-12-25 00:00:00", "1970-01-01 00:00:00"},
		{1, plan.Week, "2024-05-01 10:11:12", "2024-04-29 00:00:00", "2024-05-06 00:00:00"}, // Mondays
		{2, plan.Week, "1970-01-01 00:00:00", "1969-12-22 00:00:00", "1970-01-05 00:00:00"},
		{1, plan.Month, "2024-02-29 23:59:59", "2024-02-01 00:00:00", "2024-03-01 00:00:00"},
		{5, plan.Month, "1969-12-31 00:00:00", "1969-08-01 00:00:00", "1970-01-01 00:00:00"},
		{1, plan.Quarter, "2024-05-01 10:11:12", "2024-04-01 00:00:00", "2024-07-01 00:00:00"},
		{3, plan.Year, "1970-06-01 00:00:00", "1968-01-01 00:00:00", "1971-01-01 00:00:00"},
	}
	for _, tt := range tests {
		at, err := time.Parse(time.DateTime, tt.time)
		if err != nil {
			t.Fatal(err)
		}
		w := plan.Window{N: tt.n, Unit: tt.unit}
		start := w.Start(at.Unix())
		show := func(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.DateTime) }
		if show(start) != tt.start || show(w.Next(start)) != tt.next {
			t.Errorf("%d %s at %s: %s to %s, want %s to %s", tt.n, unitNames[tt.unit], tt.time, show(start), show(w.Next(start)), tt.start, tt.next)
		}
	}
}

// Windows cover all time without gaps: a time is in exactly the window that Start names.
func TestWindowsTile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := plan.Window{
			N:    rapid.Int64Range(1, 400).Draw(t, "n"),
			Unit: plan.Unit(rapid.IntRange(int(plan.Second), int(plan.Year)).Draw(t, "unit")),
		}
		at := rapid.Int64Range(-1<<36, 1<<36).Draw(t, "time")
		start := w.Start(at)
		next := w.Next(start)
		if start > at || next <= at || w.Start(start) != start || w.Start(next-1) != start || w.Start(next) != next {
			t.Fatalf("%+v at %d: window from %d to %d", w, at, start, next)
		}
	})
}

// Windows start where the engine's toStartOfInterval says.
func TestWindowStartEngine(t *testing.T) {
	client := enginetest.Client(t)
	random := rand.New(rand.NewPCG(1, 2))
	var columns []string
	var windows []plan.Window
	for unit, counts := range map[plan.Unit][]int64{
		plan.Second: {1, 15}, plan.Minute: {1, 20, 1440, 2880}, plan.Hour: {1, 6, 24}, plan.Day: {1, 2, 7},
		plan.Week: {1, 2, 5}, plan.Month: {1, 2, 3, 5, 12}, plan.Quarter: {1, 2, 3}, plan.Year: {1, 3, 10},
	} {
		for _, n := range counts {
			windows = append(windows, plan.Window{N: n, Unit: unit})
			columns = append(columns, fmt.Sprintf("toInt64(reinterpretAsInt64(toDateTime64(toStartOfInterval(t, INTERVAL %d %s), 0, 'UTC'))) AS w%d", n, unitNames[unit], len(columns)))
		}
	}
	// From 1920, since ClickHouse's calendar begins in 1900 and cuts off a window before it.
	from, to := time.Date(1920, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	times := []int64{-1, 0, 1, -86400, 86399, 4 * 86400}
	for range 300 {
		times = append(times, from+random.Int64N(to-from))
	}
	list := strings.Trim(strings.ReplaceAll(fmt.Sprint(times), " ", ", "), "[]")
	query := fmt.Sprintf("SELECT s, %s FROM (SELECT arrayJoin([%s])::Int64 AS s, toDateTime64(s, 0, 'UTC') AS t) SETTINGS enable_extended_results_for_datetime_functions = 1",
		strings.Join(columns, ", "), list)
	batch, err := client.QueryBatch(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	if batch.Rows != len(times) {
		t.Fatalf("%d rows", batch.Rows)
	}
	for row := range batch.Rows {
		at := batch.Columns[0].I64[row]
		for i, w := range windows {
			if got, want := w.Start(at), batch.Columns[i+1].I64[row]; got != want {
				t.Fatalf("%d %s at %d: %d, the engine says %d", w.N, unitNames[w.Unit], at, got, want)
			}
		}
	}
}
