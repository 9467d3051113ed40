package datasource

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/millrace/millrace/serving/client"
)

// The tables of the mode operations.
const (
	tablePulse   = "pulse"        // one row: the way of the events, as it is now
	tableStreams = "streams"      // a row for each stream
	tableViews   = "views"        // a row for each view
	tableBoards  = "leaderboards" // a row for each leaderboard
	tableBatches = "batches"      // a row for each batch run, with its drift
	tableErrors  = "errors"       // a row for each reason of refusals
	tableParts   = "parts"        // a row for each part: Redis, ClickHouse and so on
)

var (
	tableNames = []string{tablePulse, tableStreams, tableViews, tableBoards, tableBatches, tableErrors, tableParts}
	// liveTables are those that the server's pulse has.
	liveTables = []string{tablePulse, tableStreams, tableViews, tableBoards}
)

// operationsFrame answers how the server does.
func (d *Datasource) operationsFrame(ctx context.Context, q *Query) (*data.Frame, error) {
	switch q.Table {
	case tableBatches:
		return d.batchesFrame(ctx)
	case tableErrors:
		return d.refusalsFrame(ctx)
	case tableParts:
		return d.partsFrame(ctx)
	}
	p, err := d.beat(ctx)
	if err != nil {
		return nil, err
	}
	return pulseFrame(q.Table, p), nil
}

// beat is the server's pulse at this moment.
func (d *Datasource) beat(ctx context.Context) (*client.Pulse, error) {
	for p, err := range d.server.Pulses(ctx) {
		return p, err
	}
	return nil, errors.New("the server's pulse ended before its first beat")
}

// followOperations sends a frame for each beat of the server's pulse.
func (d *Datasource) followOperations(ctx context.Context, q *Query, send sendFrame) error {
	return followed(d.server.Pulses(ctx), send, func(p *client.Pulse) (*data.Frame, error) { return pulseFrame(q.Table, p), nil })
}

// columnOf makes a field of a value of each item.
func columnOf[T, V any](name string, items []T, value func(T) V) *data.Field {
	values := make([]V, len(items))
	for i, item := range items {
		values[i] = value(item)
	}
	return data.NewField(name, nil, values)
}

// unit sets how Grafana writes the values of a field.
func unit(f *data.Field, name string) *data.Field {
	f.Config = &data.FieldConfig{Unit: name}
	return f
}

// table makes a frame of fields.
func table(query string, fields ...*data.Field) *data.Frame {
	f := data.NewFrame("", fields...)
	f.Meta = &data.FrameMeta{
		Type: data.FrameTypeTable, TypeVersion: data.FrameTypeVersion{0, 1}, PreferredVisualization: data.VisTypeTable, ExecutedQueryString: query,
	}
	return f
}

func (d *Datasource) batchesFrame(ctx context.Context) (*data.Frame, error) {
	runs, err := d.server.BatchRuns(ctx, "", 0)
	if err != nil {
		return nil, err
	}
	drift := func(of func(*client.Drift) int64) func(client.BatchRun) *int64 {
		return func(r client.BatchRun) *int64 {
			if r.Drift == nil || !r.Drift.Comparable {
				return nil
			}
			n := of(r.Drift)
			return &n
		}
	}
	return table("GET /v1/batches",
		columnOf("time", runs, func(r client.BatchRun) time.Time { return r.Started }),
		columnOf("view", runs, func(r client.BatchRun) string { return r.View }),
		columnOf("kind", runs, func(r client.BatchRun) string { return r.Kind }),
		columnOf("state", runs, func(r client.BatchRun) string { return r.State }),
		unit(columnOf("duration_ms", runs, func(r client.BatchRun) *float64 {
			if r.Finished == nil {
				return nil
			}
			ms := float64(r.Finished.Sub(r.Started)) / float64(time.Millisecond)
			return &ms
		}), "ms"),
		columnOf("generation", runs, func(r client.BatchRun) uint64 { return r.Generation }),
		columnOf("cut_time", runs, func(r client.BatchRun) *time.Time { return r.CutTime }),
		columnOf("rows", runs, func(r client.BatchRun) int64 { return r.Rows }),
		columnOf("days", runs, func(r client.BatchRun) int64 { return int64(r.Days) }),
		columnOf("batch_events", runs, drift(func(d *client.Drift) int64 { return d.Batch })),
		columnOf("speed_events", runs, drift(func(d *client.Drift) int64 { return d.Speed })),
		columnOf("drift", runs, drift(func(d *client.Drift) int64 { return d.Speed - d.Batch })),
		columnOf("error", runs, func(r client.BatchRun) string { return r.Error }),
	), nil
}

func (d *Datasource) refusalsFrame(ctx context.Context) (*data.Frame, error) {
	streams, err := d.server.Refusals(ctx)
	if err != nil {
		return nil, err
	}
	type refused struct {
		client.RefusedReason
		stream string
	}
	var list []refused
	for _, s := range streams {
		for _, r := range s.Reasons {
			list = append(list, refused{r, s.Stream})
		}
	}
	return table("GET /v1/errors",
		columnOf("time", list, func(r refused) time.Time { return r.Newest }),
		columnOf("stream", list, func(r refused) string { return r.stream }),
		columnOf("reason", list, func(r refused) string { return r.Reason }),
		columnOf("count", list, func(r refused) int64 { return r.Count }),
	), nil
}

// partsFrame says of each part what it is and whether it answers.
func (d *Datasource) partsFrame(ctx context.Context) (*data.Frame, error) {
	status, err := d.server.Status(ctx)
	if err != nil {
		return nil, err
	}
	p, err := d.beat(ctx)
	if err != nil {
		return nil, err
	}
	trouble := map[string]string{}
	for _, t := range p.Problems {
		trouble[t.Part] = t.Detail
	}
	names := slices.Sorted(maps.Keys(status.Parts))
	return table("GET /v1/status",
		columnOf("part", names, func(name string) string { return name }),
		columnOf("is", names, func(name string) string { return status.Parts[name] }),
		columnOf("healthy", names, func(name string) bool { return trouble[name] == "" }),
		columnOf("trouble", names, func(name string) string { return trouble[name] }),
	), nil
}
