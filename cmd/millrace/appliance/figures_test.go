package appliance

import (
	"net/http"
	"strings"
	"testing"
)

// TestFigures reads the metrics of an appliance that has a stream, a view and a leaderboard,
// and again when they have been dropped.
func TestFigures(t *testing.T) {
	w := newWorld(t, nil)
	w.ask("", "POST", "/v1/sql", `CREATE STREAM figures_seen (ts DateTime64(3), who String) WITH (event_time = 'ts', partition_by = 'who', partitions = 2);
		CREATE VIEW figures_total AS SELECT count() AS n FROM figures_seen WITH (batch = '@yearly');
		CREATE LEADERBOARD figures_top AS SELECT who, count() AS n FROM figures_seen GROUP BY who WITH (windows = 'all', batch = '@yearly')`, http.StatusOK, nil)
	w.ask("", "POST", "/v1/streams/figures_seen/events", `{"ts":"2026-01-02T03:04:05Z","who":"ann"}`+"\nnot JSON\n", http.StatusOK, nil)
	metrics := func() string {
		t.Helper()
		status, _, body := (&api{t: t, url: w.url}).send(get(t, w.url+"/metrics"))
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		return string(body)
	}
	for _, line := range []string{
		`millrace_part_up{part="clickhouse"} 1`, `millrace_part_up{part="redis"} 1`, `millrace_part_up{part="query_engine"} 1`,
		`millrace_stream_dead_letters{stream="figures_seen"} 1`, `millrace_lake_stored_rows{stream="figures_seen"} 1`, `millrace_lake_stored_files{stream="figures_seen"} 1`,
		`millrace_view_ready{view="figures_total"} 1`, `millrace_view_ready{view="figures_top"} 1`, `millrace_view_generation{view="figures_total"} 1`,
		`millrace_batch_runs_total{outcome="published",view="figures_top"} 1`, `millrace_live_streams 0`,
	} {
		w.until(line, func() bool { return strings.Contains(metrics(), line+"\n") })
	}
	if text := metrics(); strings.Contains(text, "millrace_view_cut_age_seconds") {
		t.Error("a view that covers nothing has an age")
	}
	for _, name := range []string{
		`millrace_stream_iterator_age_seconds{partition="1",stream="figures_seen"} `, `millrace_view_lag_seconds{partition="0",view="figures_top"} `,
		`millrace_lake_complete_age_seconds{stream="figures_seen"} `, `millrace_stream_entries{partition="0",stream="figures_seen"} `,
	} {
		w.until(name, func() bool { return strings.Contains(metrics(), name) })
	}
	w.until("a batch run gives the cut an age, and compares", func() bool {
		w.ask("", "POST", "/v1/views/figures_total/batch", "", http.StatusOK, nil)
		text := metrics()
		return strings.Contains(text, `millrace_view_cut_age_seconds{view="figures_total"} `) && strings.Contains(text, `millrace_batch_drift_events{view="figures_total"} 0`)
	})
	w.ask("", "POST", "/v1/sql", "DROP LEADERBOARD figures_top; DROP VIEW figures_total; DROP STREAM figures_seen", http.StatusOK, nil)
	for line := range strings.Lines(metrics()) {
		if strings.Contains(line, "figures_") && (strings.Contains(line, "_view_") || strings.Contains(line, "_stored_") || strings.Contains(line, "drift")) {
			t.Errorf("after the drop: %s", line)
		}
	}
}

func get(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
