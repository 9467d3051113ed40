package boards

import (
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/millrace/millrace/dashboards/grafana/datasource"
)

// operations shows how the server does: the way of the events from the door to the answer.
// What it draws over time begins when it is opened, since the server keeps no history of
// itself; a Prometheus that reads /metrics does.
func operations() *dashboard.DashboardBuilder {
	pulse := datasource.Query{Mode: "operations", Table: "pulse", Live: true}
	ask := func(table string) datasource.Query { return datasource.Query{Mode: "operations", Table: table} }
	follow := func(table string) datasource.Query {
		q := ask(table)
		q.Live = true
		return q
	}
	only := func(names string) dashboard.DataTransformerConfig {
		return dashboard.DataTransformerConfig{Id: "filterFieldsByName", Options: map[string]any{"include": map[string]any{"pattern": "^(time|" + names + ")$"}}}
	}
	lag := thresholds(good, step{1000, warn}, step{5000, bad})
	return newBoard("millrace-operations", "Millrace operations", "Is Millrace healthy, how fresh are its answers, what was refused, and did batch and speed agree?").
		WithRow(dashboard.NewRowBuilder("The way of the events, now")).
		WithPanel(number("Healthy", "1 where no part has a problem.", "healthy", "bool_yes_no", 3, pulse).Thresholds(thresholds(bad, step{1, good}))).
		WithPanel(number("Ingest", "Events acknowledged, over the last five seconds.", "events_per_s", "cps", 3, pulse)).
		WithPanel(number("Refused", "Dead letters that wait.", "rejected", "short", 3, pulse).Thresholds(thresholds(good, step{1, warn}))).
		WithPanel(number("Speed layer lags", "The iterator age: how old the oldest event is that the furthest view has not seen.", "speed_lag_ms", "ms", 3, pulse).Thresholds(lag)).
		WithPanel(number("Lake lags", "Since the end of the newest epoch that is sealed in every stream.", "lake_lag_ms", "ms", 3, pulse).
			Thresholds(thresholds(good, step{180_000, warn}, step{600_000, bad}))).
		WithPanel(number("Epoch sealed", "The newest that every stream has whole.", "sealed_epoch", "none", 3, pulse)).
		WithPanel(number("Batch runs failed", "Views whose last run failed.", "batch_failures", "short", 3, pulse).Thresholds(thresholds(good, step{1, bad}))).
		WithPanel(number("Drift", "Views in whose last run batch and speed differed: a defect.", "drifting", "short", 3, pulse).Thresholds(thresholds(good, step{1, bad}))).
		WithRow(dashboard.NewRowBuilder("Since this page was opened")).
		WithPanel(lines("Ingest", "Events and requests a second.", "cps", 8, pulse).WithTransformation(only("events_per_s|requests_per_s|rejected_per_s"))).
		WithPanel(lines("Lag of the speed layer", "Of the view that is furthest behind.", "ms", 8, pulse).WithTransformation(only("speed_lag_ms"))).
		WithPanel(lines("Queries", "Answered a second, and the slowest hundredth in milliseconds.", "short", 8, pulse).WithTransformation(only("queries_per_s|query_p99_ms"))).
		WithRow(dashboard.NewRowBuilder("Streams, views, leaderboards")).
		WithPanel(grid("Streams", "", 8, follow("streams"))).
		WithPanel(grid("Views", "", 8, follow("views"))).
		WithPanel(grid("Leaderboards", "", 8, follow("leaderboards"))).
		WithRow(dashboard.NewRowBuilder("Batch layer, parts, refusals")).
		WithPanel(grid("Batch runs", "The newest first; drift is speed less batch for the epochs that the run took over.", wide, ask("batches"))).
		WithPanel(grid("Parts", "Redis, ClickHouse and the others: what they are, and whether they answer.", 12, ask("parts"))).
		WithPanel(grid("Refused", "By reason, of the newest dead letters.", 12, ask("errors")))
}
