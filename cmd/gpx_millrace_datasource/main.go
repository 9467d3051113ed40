// Command gpx_millrace_datasource is the back end of the Grafana data source. Grafana
// starts it and speaks gRPC with it; nobody starts it by hand.
//
// The one invariant: everything it knows comes from Grafana, in the settings of each data
// source, and from the Millrace server that these name.
package main

import (
	"os"

	sdk "github.com/grafana/grafana-plugin-sdk-go/backend/datasource"
	"github.com/grafana/grafana-plugin-sdk-go/backend/log"

	"github.com/millrace/millrace/dashboards/grafana/datasource"
)

func main() {
	if err := sdk.Manage(datasource.PluginID, datasource.New, sdk.ManageOpts{}); err != nil {
		log.DefaultLogger.Error("serve the data source", "error", err)
		os.Exit(1)
	}
}
