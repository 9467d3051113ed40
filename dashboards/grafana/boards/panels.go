package boards

import (
	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"github.com/millrace/millrace/dashboards/grafana/datasource"
)

// The colours of thresholds, by their names in Grafana.
const (
	good = "green"
	warn = "yellow"
	bad  = "red"
)

// step is where a threshold's colour begins.
type step struct {
	from  float64
	color string
}

// thresholds colour values: base, and each step from its value on.
func thresholds(base string, steps ...step) *dashboard.ThresholdsConfigBuilder {
	list := []dashboard.Threshold{{Color: base}}
	for _, s := range steps {
		list = append(list, dashboard.Threshold{Value: cog.ToPtr(s.from), Color: s.color})
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(list)
}

// lastOf takes the last value of one field of an answer.
func lastOf(field string) *common.ReduceDataOptionsBuilder {
	return common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}).Fields("/^" + field + "$/")
}

// number shows the last value of one field, large.
func number(title, about, field, unit string, width uint32, q datasource.Query) *stat.PanelBuilder {
	return stat.NewPanelBuilder().Title(title).Description(about).Datasource(source()).Height(low).Span(width).
		Unit(unit).ReduceOptions(lastOf(field)).GraphMode(common.BigValueGraphModeArea).
		Thresholds(thresholds(good)).WithTarget(target("A", q))
}

// lines draws every number of the answer over time.
func lines(title, about, unit string, width uint32, q datasource.Query) *timeseries.PanelBuilder {
	return timeseries.NewPanelBuilder().Title(title).Description(about).Datasource(source()).Height(high).Span(width).
		Unit(unit).FillOpacity(10).LineWidth(2).ShowPoints(common.VisibilityModeAuto).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)).
		WithTarget(target("A", q))
}

// stacked is lines stood one upon the other.
func stacked(title, about, unit string, width uint32, q datasource.Query) *timeseries.PanelBuilder {
	return lines(title, about, unit, width, q).FillOpacity(60).LineWidth(0).
		Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal).Group("A"))
}

// grid shows the answer as it is.
func grid(title, about string, width uint32, q datasource.Query) *table.PanelBuilder {
	return table.NewPanelBuilder().Title(title).Description(about).Datasource(source()).Height(high).Span(width).
		Footer(common.NewTableFooterOptionsBuilder().Show(false).Reducer([]string{})).
		WithTarget(target("A", q))
}

// bars shows a bar for each row.
func bars(title, about, field, unit string, width uint32, q datasource.Query) *bargauge.PanelBuilder {
	return bargauge.NewPanelBuilder().Title(title).Description(about).Datasource(source()).Height(high).Span(width).
		Unit(unit).DisplayMode(common.BarGaugeDisplayModeGradient).Orientation(common.VizOrientationHorizontal).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Values(true).Calcs([]string{"lastNotNull"}).Fields("/^" + field + "$/")).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdContinuousBlPu)).
		WithTarget(target("A", q))
}

// unitOf sets the unit of one column of a table.
func unitOf(name string) []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{{Id: "unit", Value: name}}
}
