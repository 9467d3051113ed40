package boards

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// history is operations over time, from a Prometheus that reads /metrics.
func history() *dashboard.DashboardBuilder {
	return newBoard("millrace-history", "Millrace operations, history", "How Millrace did over time, from a Prometheus that reads its /metrics.").
		Time("now-6h", "now").Refresh("1m").
		WithVariable(dashboard.NewDatasourceVariableBuilder("prometheus").Label("Prometheus").Type("prometheus")).
		WithRow(dashboard.NewRowBuilder("In")).
		WithPanel(metric("Ingest", "Events acknowledged a second.", "cps", "{{stream}}", `sum by (stream) (rate(millrace_ingest_events_total[$__rate_interval]))`)).
		WithPanel(metric("Bytes", "Of request bodies, decompressed, a second.", "Bps", "{{stream}}", `sum by (stream) (rate(millrace_ingest_bytes_total[$__rate_interval]))`)).
		WithPanel(metric("Refused", "Rows a second that became dead letters.", "cps", "{{stream}}", `sum by (stream) (rate(millrace_ingest_rejected_total[$__rate_interval]))`)).
		WithRow(dashboard.NewRowBuilder("Speed layer and lake")).
		WithPanel(metric("Iterator age", "How old the newest entry is that the slowest reader of a partition holds, where there is a newer one.", "s", "{{stream}}", `max by (stream) (millrace_stream_iterator_age_seconds)`)).
		WithPanel(metric("Epochs sealed", "Epochs of partitions sealed, a minute.", "short", "sealed", `sum(rate(millrace_lake_seals_total[$__rate_interval])) * 60`)).
		WithPanel(metric("Views that stand still", "1 where a view's aggregation failed.", "short", "{{view}}", `max by (view) (millrace_speed_stalled_views)`)).
		WithRow(dashboard.NewRowBuilder("Batch layer")).
		WithPanel(metric("Age of the cut", "Since the end of the last epoch that the batch layer of a view covers.", "s", "{{view}}", `max by (view) (millrace_view_cut_age_seconds)`)).
		WithPanel(metric("Batch runs", "A minute, by outcome.", "short", "{{outcome}}", `sum by (outcome) (rate(millrace_batch_runs_total[$__rate_interval])) * 60`)).
		WithPanel(metric("Drift", "Events that batch counted more than speed; anything but 0 is a defect.", "short", "{{view}}", `max by (view) (millrace_batch_drift_events)`)).
		WithRow(dashboard.NewRowBuilder("Answers and parts")).
		WithPanel(metric("Time to answer, 99 of 100", "By route.", "s", "{{route}}", `histogram_quantile(0.99, sum by (route, le) (rate(millrace_serving_query_seconds_bucket[$__rate_interval])))`)).
		WithPanel(metric("Redis and ClickHouse", "1 where the part answers.", "short", "{{part}}", `min by (part) (millrace_part_up)`)).
		WithPanel(metric("Dead letters", "That wait.", "short", "{{stream}}", `sum by (stream) (millrace_stream_dead_letters)`))
}

// metric draws a query of Prometheus over time.
func metric(title, about, unit, legend, query string) *timeseries.PanelBuilder {
	source := common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${prometheus}")}
	return timeseries.NewPanelBuilder().Title(title).Description(about).Datasource(source).Height(high).Span(wide / 3).
		Unit(unit).FillOpacity(10).LineWidth(2).Min(0).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)).
		WithTarget(prometheus.NewDataqueryBuilder().Datasource(source).RefId("A").Expr(query).LegendFormat(legend))
}
