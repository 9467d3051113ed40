// Package boards makes the Grafana dashboards of Millrace as code: flights (the demo),
// leaderboards and operations.
//
// The one invariant: the JSON beside this file is what this package makes; `make boards`
// writes it, and a test compares.
package boards

import (
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// Board is one dashboard.
type Board struct {
	Name string // of its file, without .json
	make func() *dashboard.DashboardBuilder
}

// All are the dashboards.
var All = []Board{
	{"flights", flights},
	{"leaderboards", leaderboards},
	{"operations", operations},
	{"history", history},
}

// JSON is the dashboard as Grafana reads it.
func (b Board) JSON() ([]byte, error) {
	made, err := b.make().Build()
	if err != nil {
		return nil, fmt.Errorf("build dashboard %s: %w", b.Name, err)
	}
	if err := made.Validate(); err != nil {
		return nil, fmt.Errorf("validate dashboard %s: %w", b.Name, err)
	}
	text, err := json.MarshalIndent(made, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode dashboard %s: %w", b.Name, err)
	}
	return append(text, '\n'), nil
}

// newBoard begins a dashboard. Its first variable is the data source, so that it works
// with any that was set up, whatever its name.
func newBoard(uid, title, description string) *dashboard.DashboardBuilder {
	return dashboard.NewDashboardBuilder(title).Uid(uid).Description(description).
		Tags([]string{"millrace"}).Editable().
		Time("now-15m", "now").Refresh("5s").Timezone(common.TimeZoneBrowser).
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Link(dashboard.NewDashboardLinkBuilder("Millrace").Type(dashboard.DashboardLinkTypeDashboards).Tags([]string{"millrace"}).AsDropdown(true).KeepTime(true)).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type(pluginType))
}

// height of the panels, in units of Grafana's grid.
const (
	low  = 4
	high = 9
)

// wide is the width of a dashboard in such units.
const wide = 24

// source is the data source that the dashboard's variable names.
func source() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr(pluginType), Uid: cog.ToPtr("${datasource}")}
}
