package appliance

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/serving/overview"
)

// figures are the metrics that are looked up when somebody reads them: how parts, streams
// and views are at that moment. What has been dropped is gone from them by itself.
type figures struct{ a *Appliance }

func figure(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	partUp         = figure("millrace_part_up", "1 where a part answers.", "part")
	restarts       = figure("millrace_engine_restarts_total", "Times that the process of an embedded engine was started again.", "engine")
	logEntries     = figure("millrace_stream_entries", "Newest entry of a partition of a stream.", "stream", "partition")
	iteratorAge    = figure("millrace_stream_iterator_age_seconds", "Age of the newest entry that the slowest reader of a partition holds, where there is a newer one; 0 where all have caught up.", "stream", "partition")
	deadLetters    = figure("millrace_stream_dead_letters", "Dead letters that wait.", "stream")
	lakeAge        = figure("millrace_lake_complete_age_seconds", "Time since the end of the newest epoch that the lake holds whole.", "stream")
	lakeFiles      = figure("millrace_lake_stored_files", "Files of a stream in the lake.", "stream")
	lakeRows       = figure("millrace_lake_stored_rows", "Rows of a stream in the lake.", "stream")
	lakeBytes      = figure("millrace_lake_stored_bytes", "Bytes of a stream in the lake.", "stream")
	viewLag        = figure("millrace_view_lag_seconds", "Age of the newest entry that a view or leaderboard holds of a partition, where there is a newer one; 0 where it has caught up.", "view", "partition")
	viewReady      = figure("millrace_view_ready", "1 where a view or leaderboard has a publication and its speed layer runs.", "view")
	viewGeneration = figure("millrace_view_generation", "Published generation of a view or leaderboard.", "view")
	viewCutAge     = figure("millrace_view_cut_age_seconds", "Time since the end of the last epoch that the batch layer of a view or leaderboard covers.", "view")
	viewRows       = figure("millrace_view_rows", "Groups in the batch layer of a view or leaderboard.", "view")
)

// Describe implements prometheus.Collector.
func (f figures) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		partUp, restarts, logEntries, iteratorAge, deadLetters, lakeAge, lakeFiles, lakeRows, lakeBytes, viewLag, viewReady, viewGeneration, viewCutAge, viewRows,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (f figures) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	ctx := context.Background() // each check of a part has a time limit of its own
	problems := f.a.partProblems(ctx)
	for _, c := range f.a.checks() {
		down := slices.ContainsFunc(problems, func(p overview.Problem) bool { return p.Part == c.part })
		gauge(partUp, oneIf(!down), c.part)
	}
	if f.a.engine != nil {
		out <- prometheus.MustNewConstMetric(restarts, prometheus.CounterValue, float64(f.a.engine.Restarts()), "batch")
	}
	if f.a.queries != nil && f.a.queries.child != nil {
		out <- prometheus.MustNewConstMetric(restarts, prometheus.CounterValue, float64(f.a.queries.child.Restarts()), "query")
	}
	for _, s := range f.a.catalog.Streams() {
		f.stream(gauge, s)
	}
	for _, v := range f.a.catalog.Views() {
		f.view(ctx, gauge, v)
	}
}

type gaugeFunc func(d *prometheus.Desc, value float64, labels ...string)

func (f figures) stream(gauge gaugeFunc, s *catalog.Stream) {
	r, err := f.a.stream(s.ID)
	if err != nil {
		return // created or dropped at this moment
	}
	name, now := s.Plan.Name, time.Now()
	age := make([]int64, s.Plan.Partitions)
	for _, v := range f.a.viewsOf(s.ID) {
		for _, at := range f.a.standings(r, v) {
			age[at.partition] = max(age[at.partition], f.a.lagMillis(at, now))
		}
	}
	for partition, millis := range age {
		gauge(iteratorAge, seconds(millis), name, strconv.Itoa(partition))
		gauge(logEntries, float64(r.log.acked(partition)), name, strconv.Itoa(partition))
	}
	gauge(deadLetters, float64(heads(f).Rejected(s.ID)), name)
	if e := r.complete(); e != nil {
		gauge(lakeAge, now.Sub((*e + 1).Start(f.a.o.Config.Epoch)).Seconds(), name)
	}
	size := r.index.Size()
	gauge(lakeFiles, float64(size.Files), name)
	gauge(lakeRows, float64(size.Rows), name)
	gauge(lakeBytes, float64(size.Bytes), name)
}

func (f figures) view(ctx context.Context, gauge gaugeFunc, v *catalog.View) {
	r, err := f.a.stream(v.StreamID)
	if err != nil {
		return
	}
	facts, err := facts(f).View(ctx, v)
	if err != nil {
		return // its manifest cannot be read; that is in the status
	}
	name, now := v.Plan.Name, time.Now()
	lag := make([]int64, len(r.workers)) // a leaderboard has two readers
	for _, at := range f.a.standings(r, v) {
		lag[at.partition] = max(lag[at.partition], f.a.lagMillis(at, now))
	}
	for partition, millis := range lag {
		gauge(viewLag, seconds(millis), name, strconv.Itoa(partition))
	}
	m := facts.Published
	gauge(viewReady, oneIf(m != nil && !facts.Stalled && !facts.Starting), name)
	if m == nil {
		return
	}
	gauge(viewGeneration, float64(m.Generation), name)
	gauge(viewRows, float64(m.Rows), name)
	if m.Cut != event.NoEpoch {
		gauge(viewCutAge, now.Sub((m.Cut + 1).Start(f.a.o.Config.Epoch)).Seconds(), name)
	}
}

func seconds(millis int64) float64 { return float64(millis) / 1000 }

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
