package boards

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/millrace/millrace/dashboards/grafana/datasource"
)

// leaderboards shows any leaderboard; the demo's is the first choice.
func leaderboards() *dashboard.DashboardBuilder {
	top := func(window string, n int, format string) datasource.Query {
		return datasource.Query{Mode: "leaderboard", Board: "$board", Window: window, N: n, Format: format, Live: true}
	}
	return newBoard("millrace-leaderboards", "Leaderboards", "Who is the best of all time and of the present window, as it changes.").
		WithVariable(dashboard.NewQueryVariableBuilder("board").Label("Leaderboard").Datasource(source()).
			Query(dashboard.StringOrMap{Map: map[string]any{"refId": "board", "kind": "leaderboards"}}).
			Refresh(dashboard.VariableRefreshOnDashboardLoad).Current(one("busiest"))).
		WithVariable(dashboard.NewCustomVariableBuilder("window").Label("Window").
			Values(dashboard.StringOrMap{String: cog.ToPtr("hour,day,week,month,year,all")}).Current(one("hour"))).
		WithPanel(grid("Of all time", "The best hundred.", 12, top("all", 100, "table")).Height(2 * high)).
		WithPanel(grid("Of this $window", "The best hundred of the present window.", 12, top("$window", 100, "table")).Height(2 * high)).
		WithPanel(bars("The first ten of this $window", "", ".*", "short", wide, top("$window", 10, "time_series")))
}
