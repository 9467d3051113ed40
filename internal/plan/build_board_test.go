package plan_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
)

func TestBuildBoard(t *testing.T) {
	s := stream(t, clicks)
	tests := []struct{ name, text, want string }{
		{"defaults", "SELECT user_id, sum(price) AS spent FROM clicks GROUP BY user_id", `
key user_id String = user_id
window 0 0, pane 86400
state s0 = sum(price)
state _rows = count()
output user_id String = user_id agg=false
output spent Float64 = s0 agg=true
board [all] desc=true first=false tie=-1 reached=false keep=2160h0m0s
`},
		{"windows by hour and tie of a sum", "SELECT user_id AS who, count() FROM clicks WHERE ok GROUP BY who WITH (windows = 'all, hour,week', tie = 'first', order = 'asc', keep = '7d')", `
where ok
key who String = user_id
window 0 0, pane 3600
state s0 = max(ts)
state _rows = count()
output who String = who agg=false
output count() UInt64 = _rows agg=true
board [all hour week] desc=false first=true tie=0 reached=false keep=168h0m0s
`},
		{"tie of a minimum", "SELECT user_id, min(latency_ms) AS best FROM clicks GROUP BY user_id, tumble(ts, INTERVAL 15 MINUTE) WITH (tie = 'first', order = 'asc')", `
key user_id String = user_id
window 15 2, pane 900
state s0 = min(latency_ms)
state s1 = min(CAST(concat(reverse(reinterpretAsFixedString(bitXor(reinterpretAsUInt64(latency_ms), toUInt64(9223372036854775808)))), reverse(reinterpretAsFixedString(bitXor(reinterpretAsUInt64(reinterpretAsInt64(ts)), toUInt64(9223372036854775808))))) AS String))
state _rows = count()
output window_start DateTime64(0, 'UTC') = window_start agg=false
output user_id String = user_id agg=false
output best Int64 = s0 agg=true
board [15minute] desc=false first=true tie=1 reached=true keep=2160h0m0s
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := plan.BuildBoard(statement[*sql.CreateLeaderboard](t, "CREATE LEADERBOARD b AS "+tt.text), s)
			if err != nil {
				t.Fatal(err)
			}
			got := shape(b.View) + fmt.Sprintf("board %v desc=%v first=%v tie=%d reached=%v keep=%s\n", b.WindowNames(), b.Desc, b.First, b.Tie, b.Reached, b.Keep)
			if got != strings.TrimPrefix(tt.want, "\n") {
				t.Errorf("got\n%swant%s", got, tt.want)
			}
		})
	}
}

func TestBuildBoardRefusals(t *testing.T) {
	spread := "CREATE STREAM spread (ts DateTime64(3), user_id String, n Int64) WITH (partitions = 2)"
	single := "CREATE STREAM single (ts DateTime64(3), user_id String, n Int64) WITH (partitions = 1)"
	tests := []struct{ stream, text, want string }{
		{clicks, "SELECT page, count() FROM clicks GROUP BY page", "line 1, column 32: the member, page, is not the partition key of clicks, which is partitioned by user_id; group by user_id, or declare a stream WITH (partition_by = 'page')"},
		{spread, "SELECT user_id, count() FROM spread GROUP BY user_id", "is not the partition key of spread, which is partitioned by nothing: its events are spread; declare a stream WITH (partition_by = 'user_id')"},
		{clicks, "SELECT lower(user_id) AS u, count() FROM clicks GROUP BY u", "is not the partition key of clicks"},
		{clicks, "SELECT user_id, page, count() FROM clicks GROUP BY user_id, page", "column 25: a leaderboard selects two things, its member and its score, and not 3"},
		{clicks, "SELECT user_id, count() FROM clicks GROUP BY user_id, page", "column 79: a leaderboard is grouped by its member and nothing else but a window, and this one by 2 keys"},
		{clicks, "SELECT count() FROM clicks", "and not 1"},
		{clicks, "SELECT user_id, count() FROM clicks", "and nothing else but a window, and this one by 0 keys"},
		{clicks, "SELECT count(), user_id FROM clicks GROUP BY user_id", "column 32: the member, count(), is not what the leaderboard is grouped by; select user_id first"},
		{clicks, "SELECT user_id, length(user_id) AS n FROM clicks GROUP BY user_id", "column 41: the score, length(user_id), is no function of aggregates"},
		{clicks, "SELECT user_id, max(page) FROM clicks GROUP BY user_id", "column 41: a score must be a number, and max(page) is a String"},
		{clicks, "SELECT user_id, max(ts) FROM clicks GROUP BY user_id", "a score must be a number, and max(ts) is a DateTime64(3, 'UTC')"},
		{single, "SELECT n / 2 AS half, count() FROM single GROUP BY half", "a member cannot be a Float64"},
		{clicks, "SELECT user_id, count() FROM clicks GROUP BY user_id ORDER BY 2", "a leaderboard has no ORDER BY"},
		{clicks, "SELECT user_id, count() FROM clicks GROUP BY user_id, tumble(born, INTERVAL 1 DAY)", "tumble takes the stream's event time, which is ts"},
		{clicks, "SELECT user_id, count() FROM clicks GROUP BY user_id, tumble(ts, INTERVAL 30 SECOND)", "column 79: a window of a leaderboard is at least a minute"},
		{clicks, "SELECT user_id, count() FROM clicks GROUP BY user_id, tumble(ts, INTERVAL 1 DAY) WITH (windows = 'day')", "column 112: the windows are given twice"},
		{clicks, "SELECT user_id, count() FROM clicks GROUP BY user_id WITH (windows = 'all,fortnight')", `unknown window "fortnight"; windows are all, hour, day, week, month, year`},
		{clicks, "SELECT user_id, count() FROM clicks GROUP BY user_id WITH (windows = 'day,day')", "names day twice"},
		{clicks, "SELECT user_id, count() FROM clicks GROUP BY user_id WITH (order = 'down')", "option order cannot be 'down'; it is asc or desc"},
		{clicks, "SELECT user_id, count() FROM clicks GROUP BY user_id WITH (tie = 'frist')", "option tie cannot be 'frist'; it is first or shared"},
		{clicks, "SELECT user_id, count() FROM clicks GROUP BY user_id WITH (ttl = '1d')", "unknown option ttl"},
		{clicks, "SELECT user_id, count() FROM clicks GROUP BY user_id WITH (keep = '1d')", "option keep has no meaning where the only window is all time"},
		{clicks, "SELECT user_id, count() FROM clicks GROUP BY user_id WITH (windows = 'hour', keep = '100y')", "option keep"},
		{clicks, "SELECT user_id, count() FROM clicks GROUP BY user_id WITH (windows = 'hour', keep = '36500d')", "more than the 150000 that a leaderboard keeps at hand"},
		{clicks, "SELECT user_id, count() FROM clicks GROUP BY user_id WITH (batch = 'daily')", "option batch is not a schedule"},
		{clicks, "SELECT user_id, summ(price) FROM clicks GROUP BY user_id", "did you mean sum"},
	}
	for _, tt := range tests {
		_, err := plan.BuildBoard(statement[*sql.CreateLeaderboard](t, "CREATE LEADERBOARD b AS "+tt.text), stream(t, tt.stream))
		var refused *sql.Error
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.want) || refused.Pos.Line == 0 {
			t.Errorf("%s\n gives %v\n  want %s", tt.text, err, tt.want)
		}
	}
	if _, err := plan.BuildBoard(statement[*sql.CreateLeaderboard](t, "CREATE LEADERBOARD b AS SELECT lower(user_id) AS u, sum(n) FROM single GROUP BY u"), stream(t, single)); err != nil {
		t.Errorf("one partition takes every member: %v", err)
	}
}
