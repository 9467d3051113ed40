package datasource

import (
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/millrace/millrace/serving/client"
)

// pulseFrame makes a frame of a beat of the server's pulse.
func pulseFrame(tableName string, p *client.Pulse) *data.Frame {
	var f *data.Frame
	switch tableName {
	case tableStreams:
		f = table("GET /v1/live", append([]*data.Field{sameTime(p.At, len(p.Streams))}, streamFields(p.Streams)...)...)
	case tableViews:
		f = table("GET /v1/live", append([]*data.Field{sameTime(p.At, len(p.Views))}, viewFields(p.Views)...)...)
	case tableBoards:
		f = table("GET /v1/live", append([]*data.Field{sameTime(p.At, len(p.Boards))}, viewFields(p.Boards)...)...)
	default:
		f = table("GET /v1/live", stepFields(p)...)
		f.Meta.Type, f.Meta.PreferredVisualization = data.FrameTypeTimeSeriesWide, data.VisTypeGraph
	}
	for _, trouble := range p.Problems {
		f.AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning, Text: trouble.Part + ": " + trouble.Detail})
	}
	return f
}

func sameTime(at time.Time, rows int) *data.Field {
	times := make([]time.Time, rows)
	for i := range times {
		times[i] = at
	}
	return data.NewField("time", nil, times)
}

// one makes a field of one value.
func one[T any](name, unitName string, value T) *data.Field {
	return unit(data.NewField(name, nil, []T{value}), unitName)
}

// Units of Grafana.
const (
	unitPerSecond = "cps"
	unitBytes     = "bytes"
	unitBytesRate = "Bps"
	unitMillis    = "ms"
	unitNone      = "none"
	unitShort     = "short"
)

// stepFields are the steps of the way of an event, in the order in which it takes them.
func stepFields(p *client.Pulse) []*data.Field {
	s, healthy := p.Steps, 0.0
	if p.Healthy {
		healthy = 1
	}
	var queries, p99 *float64 // null where the token may not see them
	if s.Serving != nil {
		queries, p99 = &s.Serving.QueriesPerSecond, s.Serving.P99Millis
	}
	return []*data.Field{
		data.NewField("time", nil, []time.Time{p.At}),
		one("events_per_s", unitPerSecond, s.Ingest.EventsPerSecond),
		one("bytes_per_s", unitBytesRate, s.Ingest.BytesPerSecond),
		one("requests_per_s", unitPerSecond, s.Ingest.RequestsPerSecond),
		one("rejected_per_s", unitPerSecond, s.Ingest.RejectedPerSecond),
		one("events", unitShort, s.Ingest.Events),
		one("rejected", unitShort, s.Ingest.Rejected),
		one("log_entries", unitShort, s.Log.Entries),
		one("speed_lag_ms", unitMillis, s.Speed.LagMillis),
		one("views_behind", unitShort, int64(s.Speed.Behind)),
		one("sealed_epoch", unitNone, s.Lake.Epoch),
		one("lake_lag_ms", unitMillis, s.Lake.LagMillis),
		one("lake_files", unitShort, s.Lake.Files),
		one("lake_rows", unitShort, s.Lake.Rows),
		one("lake_bytes", unitBytes, s.Lake.Bytes),
		one("batch_running", unitShort, int64(s.Batch.Running)),
		one("batch_failures", unitShort, int64(s.Batch.Failures)),
		one("drifting", unitShort, int64(s.Batch.Drifting)),
		one("queries_per_s", unitPerSecond, queries),
		one("query_p99_ms", unitMillis, p99),
		one("healthy", unitNone, healthy),
		one("problems", unitShort, int64(len(p.Problems))),
		one("uptime_ms", unitMillis, p.UptimeMillis),
	}
}

func streamFields(streams []client.StreamBeat) []*data.Field {
	return []*data.Field{
		columnOf("stream", streams, func(s client.StreamBeat) string { return s.Name }),
		columnOf("events", streams, func(s client.StreamBeat) int64 { return s.Events }),
		unit(columnOf("events_per_s", streams, func(s client.StreamBeat) float64 { return s.EventsPerSecond }), unitPerSecond),
		columnOf("rejected", streams, func(s client.StreamBeat) int64 { return s.Rejected }),
		columnOf("lake_rows", streams, func(s client.StreamBeat) int64 { return s.LakeRows }),
		unit(columnOf("lag_ms", streams, func(s client.StreamBeat) int64 { return s.LagMillis }), unitMillis),
	}
}

func viewFields(views []client.ViewBeat) []*data.Field {
	return []*data.Field{
		columnOf("view", views, func(v client.ViewBeat) string { return v.Name }),
		columnOf("stream", views, func(v client.ViewBeat) string { return v.Stream }),
		columnOf("state", views, func(v client.ViewBeat) string { return v.State }),
		columnOf("complete", views, func(v client.ViewBeat) bool { return v.Complete }),
		unit(columnOf("lag_ms", views, func(v client.ViewBeat) int64 { return v.LagMillis }), unitMillis),
		columnOf("generation", views, func(v client.ViewBeat) uint64 { return v.Generation }),
		columnOf("cut_time", views, func(v client.ViewBeat) *time.Time { return v.CutTime }),
		columnOf("next_run", views, func(v client.ViewBeat) *time.Time { return v.NextRun }),
	}
}
