package boards

import (
	"github.com/grafana/grafana-foundation-sdk/go/barchart"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/millrace/millrace/dashboards/grafana/datasource"
)

// flights is about the views of examples/flights, which the demo fills.
func flights() *dashboard.DashboardBuilder {
	whole := func(measures ...string) datasource.Query {
		return datasource.Query{Mode: "view", View: "airports", By: []string{}, Measures: measures, Format: "time_series", Live: true}
	}
	return newBoard("millrace-flights", "Flights", "How U.S. flights do, as they are reported: the demo of Millrace (make run).").
		WithVariable(dashboard.NewQueryVariableBuilder("airport").Label("Airports").Datasource(source()).
			Query(dashboard.StringOrMap{Map: map[string]any{"refId": "airport", "kind": "values", "view": "airports", "column": "airport"}}).
			Multi(true).Refresh(dashboard.VariableRefreshOnDashboardLoad).Sort(dashboard.VariableSortAlphabeticalAsc).
			Current(chosen("ATL", "ORD", "DFW", "LAX", "PHX"))).
		WithRow(dashboard.NewRowBuilder("Now")).
		WithPanel(number("Flights a minute", "Reported in the newest minute.", "flights", "short", 6, whole("flights"))).
		WithPanel(number("Mean delay", "Of the newest minute, in minutes.", "mean_delay", "m", 6, whole("mean_delay")).Decimals(1).
			Thresholds(thresholds(good, step{10, warn}, step{20, bad}))).
		WithPanel(number("95 of 100 delays are below", "Of the newest minute, in minutes.", "p95_delay", "m", 6, whole("p95_delay")).Decimals(0).
			Thresholds(thresholds(good, step{60, warn}, step{120, bad}))).
		WithPanel(number("Destinations", "Different ones in the newest minute.", "destinations", "short", 6, whole("destinations"))).
		WithRow(dashboard.NewRowBuilder("Over time")).
		WithPanel(lines("Flights by airport", "Each minute or longer, as the panel's width allows.", "short", 12, datasource.Query{
			Mode: "view", View: "airports", By: []string{"airport"}, Measures: []string{"flights"}, Where: "airport IN ($airport)", Format: "time_series",
		}).DisplayName("${__field.labels.airport}")).
		WithPanel(stacked("How late they are", "Flights by class of delay.", "short", 12, datasource.Query{
			Mode: "view", View: "delays", By: []string{"class"}, Measures: []string{"flights"}, Format: "time_series",
		}).DisplayName("${__field.labels.class}")).
		WithRow(dashboard.NewRowBuilder("Where and when")).
		WithPanel(grid("Airports", "The busiest of the time range.", 12, datasource.Query{
			Mode: "view", View: "airports", Order: "-flights", Limit: 20, Format: "table",
		}).OverrideByName("mean_delay", unitOf("m")).OverrideByName("p95_delay", unitOf("m"))).
		WithPanel(grid("Routes", "The most flown of the days of the time range.", 12, datasource.Query{
			Mode: "view", View: "routes", Order: "-flights", Limit: 20, Format: "table",
		}).OverrideByName("miles", unitOf("lengthmi")).OverrideByName("mean_delay", unitOf("m"))).
		WithPanel(barchart.NewPanelBuilder().Title("Late flights by hour of the day").Description("The share of flights that are more than a quarter of an hour late, of the days of the time range.").
			Datasource(source()).Height(high).Span(wide / 2).XField("hour").Unit("percentunit").ShowValue(common.VisibilityModeNever).
			Legend(common.NewVizLegendOptionsBuilder().ShowLegend(false).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)).
			WithTarget(target("A", datasource.Query{Mode: "sql", Format: "table", SQL: "SELECT toString(hour) AS hour, late_share FROM hours ORDER BY hours.hour"}))).
		WithPanel(lines("Longest delays, by SQL", "In minutes; the same as of a view, in SQL with the macros of the time range.", "m", 12, datasource.Query{
			Mode: "sql", Format: "time_series",
			SQL: "SELECT $__timeInterval(window_start) AS time, class, max(most) AS longest\nFROM delays\nWHERE $__timeFilter(window_start)\nGROUP BY time, class\nORDER BY time",
		}).DisplayName("${__field.labels.class}"))
}

// chosen is the choice of a variable with several values.
func chosen(values ...string) dashboard.VariableOption {
	return dashboard.VariableOption{
		Selected: cog.ToPtr(true), Text: dashboard.StringOrArrayOfString{ArrayOfString: values}, Value: dashboard.StringOrArrayOfString{ArrayOfString: values},
	}
}

// one is the choice of a variable with one value.
func one(value string) dashboard.VariableOption {
	return dashboard.VariableOption{
		Selected: cog.ToPtr(true), Text: dashboard.StringOrArrayOfString{String: &value}, Value: dashboard.StringOrArrayOfString{String: &value},
	}
}
