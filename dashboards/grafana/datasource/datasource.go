// Package datasource is the back end of the Grafana data source: it answers queries,
// streams, health checks and resource calls of Grafana from a Millrace server.
//
// The one invariant: a frame that is returned without an error is the server's answer to
// the query as it was given, and where it is not the whole truth (backfilling, incomplete,
// lagging) it says so in a notice.
package datasource

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/instancemgmt"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/serving/client"
)

// PluginID is the id in plugin.json.
const PluginID = "millrace-millrace-datasource"

// parallelQueries is how many queries of one request run at the same time: a dashboard
// sends each panel's apart, and the server's roles have limits of their own.
const parallelQueries = 4

// Datasource is one data source that was set up in Grafana. It is safe for concurrent use.
type Datasource struct {
	uid     string
	server  *client.Client
	http    *http.Client
	timeout time.Duration
	// unusable says what is wrong with the settings; nil: nothing. Grafana shows a person
	// the errors of answers, but not those of making an instance.
	unusable  error
	resources backend.CallResourceHandler
	views     listing[client.ViewInfo]
	boards    listing[client.Board]
	channels  channels
}

var (
	_ backend.QueryDataHandler      = (*Datasource)(nil)
	_ backend.CheckHealthHandler    = (*Datasource)(nil)
	_ backend.CallResourceHandler   = (*Datasource)(nil)
	_ backend.StreamHandler         = (*Datasource)(nil)
	_ instancemgmt.InstanceDisposer = (*Datasource)(nil)
)

// New makes a data source of its settings. Wrong settings are no error of it: whatever is
// asked of the data source answers with them.
func New(ctx context.Context, settings backend.DataSourceInstanceSettings) (instancemgmt.Instance, error) {
	d := &Datasource{uid: settings.UID}
	d.views.ask = func(ctx context.Context) ([]client.ViewInfo, error) { return d.server.Views(ctx) }
	d.views.name = func(v client.ViewInfo) string { return v.Name }
	d.boards.ask = func(ctx context.Context) ([]client.Board, error) { return d.server.Boards(ctx) }
	d.boards.name = func(b client.Board) string { return b.Name }
	d.unusable = d.connect(ctx, settings)
	d.resources = d.routes()
	return d, nil
}

// Dispose implements instancemgmt.InstanceDisposer.
func (d *Datasource) Dispose() {
	if d.http != nil {
		d.http.CloseIdleConnections()
	}
}

// QueryData implements backend.QueryDataHandler.
func (d *Datasource) QueryData(ctx context.Context, request *backend.QueryDataRequest) (*backend.QueryDataResponse, error) {
	response := backend.NewQueryDataResponse()
	var lock sync.Mutex
	var group errgroup.Group
	group.SetLimit(parallelQueries)
	for _, q := range request.Queries {
		group.Go(func() error {
			one := d.answer(ctx, q)
			lock.Lock()
			defer lock.Unlock()
			response.Responses[q.RefID] = one
			return nil
		})
	}
	return response, group.Wait()
}

// answer answers one query.
func (d *Datasource) answer(ctx context.Context, sent backend.DataQuery) backend.DataResponse {
	if d.unusable != nil {
		return failed(d.unusable)
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	q, err := parseQuery(sent)
	if err != nil {
		return failed(err)
	}
	frame, err := d.frame(ctx, q)
	if err != nil {
		return failed(err)
	}
	if q.Live {
		if frame.Meta.Channel, err = d.channel(q); err != nil {
			return failed(err)
		}
		q.mark(frame)
	}
	return backend.DataResponse{Status: backend.StatusOK, Frames: data.Frames{frame}}
}
