// Package appliance wires the layers into one running system.
//
// The one invariant: parts start bottom-up and stop top-down, so that whatever runs finds
// below it all that it needs, and the storage is the last to go.
package appliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/batch/ledger"
	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/batch/recompute"
	"github.com/millrace/millrace/batch/schedule"
	"github.com/millrace/millrace/dashboards/console"
	"github.com/millrace/millrace/dashboards/tracker"
	"github.com/millrace/millrace/ingest/appender"
	"github.com/millrace/millrace/ingest/jetstream"
	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/clickhouse/engine"
	"github.com/millrace/millrace/internal/config"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/lake/compact"
	"github.com/millrace/millrace/lake/deadletter"
	"github.com/millrace/millrace/lake/objstore/local"
	"github.com/millrace/millrace/lake/writer"
	"github.com/millrace/millrace/serving/httpapi"
	"github.com/millrace/millrace/serving/leaderboard"
	"github.com/millrace/millrace/serving/live"
	"github.com/millrace/millrace/serving/merge"
	"github.com/millrace/millrace/serving/openapi"
	"github.com/millrace/millrace/serving/overview"
	"github.com/millrace/millrace/serving/query"
	"github.com/millrace/millrace/speed/board"
	"github.com/millrace/millrace/speed/embedded"
	"github.com/millrace/millrace/speed/redisboard"
	"github.com/millrace/millrace/speed/redisview"
	"github.com/millrace/millrace/speed/worker"
)

// Options are what an appliance needs to know.
type Options struct {
	Config  config.Config
	Log     *slog.Logger
	Version string
}

// Appliance is the running system. It is safe for concurrent use.
type Appliance struct {
	o       Options
	started time.Time
	metrics metrics

	store        *local.Store
	letters      *deadletter.Store
	catalog      *catalog.Catalog
	publications *publication.Authority
	engine       *engine.Engine // nil with an external ClickHouse
	clickhouse   *clickhouse.Client
	queries      *queryEngine     // nil where SELECT is refused
	redis        *embedded.Server // nil with an external Redis
	speed        *redisview.Store
	backend      stream.Backend
	ledger       *ledger.Ledger
	recompute    *recompute.Runner
	schedule     *schedule.Scheduler
	budget       *appender.Budget
	merger       *merge.Merger
	executor     *query.Executor
	reports      *reporter
	guard        *guard
	queried      queried
	live         *live.Hub
	routes       route.Table
	handler      http.Handler
	unlock       func() // frees the data directory

	define  sync.Mutex // one definition at a time
	mu      sync.RWMutex
	streams map[string]*running // by stream id
	batches map[string]batchState
}

// metrics are the collectors of all layers.
type metrics struct {
	registry *prometheus.Registry
	writer   *writer.Metrics
	worker   *worker.Metrics
	board    *board.Metrics
	appender *appender.Metrics
	compact  *compact.Metrics
}

func newMetrics() metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return metrics{registry: r, writer: writer.NewMetrics(r), worker: worker.NewMetrics(r), board: board.NewMetrics(r), appender: appender.NewMetrics(r), compact: compact.NewMetrics(r)}
}

// Start brings the appliance up and returns when every view answers. What it started is
// stopped again where it fails.
func Start(ctx context.Context, o Options) (_ *Appliance, err error) {
	a := &Appliance{
		o: o, started: time.Now(), metrics: newMetrics(),
		streams: map[string]*running{}, batches: map[string]batchState{},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
		}
	}()

	// 1. The lake's store: it holds the catalog and says what is published.
	if a.unlock, err = lockData(o.Config.DataDir); err != nil {
		return nil, err
	}
	if a.store, err = local.Open(o.Config.LakeDir()); err != nil {
		return nil, err
	}
	if err := a.checkEpoch(ctx); err != nil {
		return nil, err
	}
	if a.catalog, err = catalog.Open(ctx, blobs{a.store}); err != nil {
		return nil, err
	}
	if a.letters, err = deadletter.Open(ctx, a.store, a.metrics.registry); err != nil {
		return nil, err
	}
	a.publications = publication.Open(a.store)
	if err := a.startGuard(ctx); err != nil {
		return nil, err
	}

	// 2. Engines, Redis and stream, side by side: none needs another.
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.startEngines(gctx) })
	g.Go(func() error { return a.startRedis(gctx) })
	g.Go(func() error { return a.startBackend(gctx) })
	if err := g.Wait(); err != nil {
		return nil, err
	}

	// 3. The batch layer checks what it has published, since the rest builds on its cuts.
	a.startBatch()

	// 4. Every stream with its readers, then every view.
	a.budget = appender.NewBudget(o.Config.MaxInFlightBytes)
	for _, def := range a.catalog.Streams() {
		r, err := a.startStream(ctx, def)
		if err != nil {
			return nil, err
		}
		a.streams[def.ID] = r
	}
	for _, v := range a.catalog.Views() {
		if err := a.openView(ctx, v); err != nil {
			return nil, err
		}
	}

	// 5. What answers.
	if err := a.startServing(); err != nil {
		return nil, err
	}
	return a, nil
}

// Stop ends everything, from the top down. The network must have stopped already.
func (a *Appliance) Stop(ctx context.Context) error {
	var errs []error
	a.EndStreams()
	if a.reports != nil {
		errs = append(errs, a.reports.stop(ctx))
	}
	if a.schedule != nil {
		errs = append(errs, a.schedule.Stop(ctx))
	}
	var wg sync.WaitGroup
	stopped := make(chan error, len(a.streams))
	for _, r := range a.streams {
		wg.Go(func() { stopped <- r.stop(ctx) })
	}
	wg.Wait()
	close(stopped)
	for err := range stopped {
		errs = append(errs, err)
	}
	if a.speed != nil {
		errs = append(errs, a.speed.Close())
	}
	if a.redis != nil {
		a.redis.Stop()
	}
	if a.queries != nil {
		errs = append(errs, a.queries.stop())
	}
	if a.clickhouse != nil {
		errs = append(errs, a.clickhouse.Close())
	}
	if a.engine != nil {
		a.engine.Stop()
	}
	if a.backend != nil {
		errs = append(errs, a.backend.Close())
	}
	if a.guard != nil {
		errs = append(errs, a.guard.close(ctx))
	}
	if a.unlock != nil {
		a.unlock()
	}
	return errors.Join(errs...)
}

// EndStreams ends the live streams, which would outlast every other request. It comes
// before the network stops, and may be called again.
func (a *Appliance) EndStreams() {
	if a.live != nil {
		a.live.Close()
	}
}

// Handler is the whole HTTP surface.
func (a *Appliance) Handler() http.Handler { return a.handler }

// lakeSettings are what ClickHouse must be told to read the lake rightly.
var lakeSettings = map[string]string{
	// The folders date=…/hour=… are for other readers: ClickHouse would take them for
	// columns, and put them in the place of a stream's own column of such a name.
	"use_hive_partitioning": "0",
	// A query names the files that it reads, of which there may be thousands.
	"max_query_size": strconv.Itoa(64 << 20),
}

// withLakeSettings adds them to a DSN.
func withLakeSettings(dsn string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("parse clickhouse.dsn: %w", err)
	}
	values := u.Query()
	for name, value := range lakeSettings {
		if !values.Has(name) {
			values.Set(name, value)
		}
	}
	u.RawQuery = values.Encode()
	return u.String(), nil
}

func (a *Appliance) openClickHouse(dsn string) error {
	dsn, err := withLakeSettings(dsn)
	if err != nil {
		return err
	}
	a.clickhouse, err = clickhouse.Open(dsn)
	return err
}

func (a *Appliance) startEngine(ctx context.Context) error {
	if dsn := a.o.Config.ClickHouseDSN; dsn != "" {
		if err := a.openClickHouse(dsn); err != nil {
			return err
		}
		return a.clickhouse.Ping(ctx)
	}
	library, err := engine.Library(a.o.Config.EngineLibrary)
	if err != nil {
		return err
	}
	a.engine, err = engine.Start(ctx, engine.Options{
		Library: library, DataDir: filepath.Join(a.o.Config.DataDir, "engine"), Log: a.o.Log,
	})
	if err != nil {
		return err
	}
	return a.openClickHouse(a.engine.DSN())
}

func (a *Appliance) startRedis(ctx context.Context) error {
	address := a.o.Config.RedisURL
	if address == "" {
		var err error
		a.redis, err = embedded.Start(ctx, embedded.Options{Dir: filepath.Join(a.o.Config.DataDir, "redis"), Logger: a.o.Log})
		if err != nil {
			return err
		}
		address = a.redis.URL()
	}
	redisview.SetLogger(a.o.Log)
	var err error
	a.speed, err = redisview.Open(address)
	return err
}

func (a *Appliance) startBackend(ctx context.Context) error {
	o := jetstream.Options{Logger: a.o.Log, Metrics: a.metrics.registry, URL: a.o.Config.StreamURL}
	if o.URL == "" {
		o.Dir = filepath.Join(a.o.Config.DataDir, "stream")
	}
	b, err := jetstream.Open(ctx, o)
	if err != nil {
		return err
	}
	a.backend = b
	return nil
}

// startServing builds the HTTP surface.
func (a *Appliance) startServing() (err error) {
	a.merger = merge.New(merge.Options{
		Publications: a.publications, Speed: a.speed, Batch: a.clickhouse, Log: heads{a},
		Table: func(id string) string { return sql.QuoteName(tableName(id)) }, EpochLength: a.o.Config.Epoch, Logger: a.o.Log,
	})
	a.executor = query.New(query.Options{
		Catalog: a.catalog, Definer: auditedDefiner{a, a.guard.audit}, History: histories{a}, Engine: a.queries.forQueries(), Views: a.merger,
		Log: a.o.Log, Limits: roleLimits(a.o.Config),
	})
	a.live = live.New(live.Options{
		MaxStreams: int(a.o.Config.LiveMaxStreams), Still: a.guard.gate.Still, Log: a.o.Log, Metrics: a.metrics.registry,
	})
	overviews := overview.New(overview.Options{
		Catalog: a.catalog, Facts: facts{a}, EpochLength: a.o.Config.Epoch, Version: a.o.Version, Started: a.started, Log: a.o.Log,
	})
	if err := a.startReports(); err != nil {
		return err
	}
	ranks := leaderboard.New(leaderboard.Options{Store: redisboard.New(a.speed.Client()), Views: a.merger, Log: heads{a}, Logger: a.o.Log})
	a.routes, err = openapi.Routes(a.o.Version, slices.Concat(
		a.ingestRoutes(),
		httpapi.Routes(httpapi.Options{
			Views: a.catalog, Merger: a.merger, Boards: a.catalog, Ranks: ranks, Executor: auditedExecutor{a.executor, a.guard.audit},
			Operator: auditedOperator{a, a.guard.audit}, Metrics: a.metrics.registry,
			Log: a.o.Log, Limits: roleLimits(a.o.Config), Queried: a.queried.observe, Live: a.live,
		}),
		overviews.Routes(),
		route.Table{overviews.LiveRoute(a.live)},
		a.guardRoutes(),
		a.reports.scheduler.Routes(a.guard.audit),
		console.Routes(),
		tracker.Routes(),
	))
	if err != nil {
		return err
	}
	a.metrics.registry.MustRegister(figures{a})
	a.handler = a.surface(a.routes)
	return nil
}

// epochFile keeps the epoch length that a data directory was made with.
const epochFile = "epoch"

// checkEpoch refuses another epoch length than the one that the lake's files are named by.
func (a *Appliance) checkEpoch(ctx context.Context) error {
	data, found, err := blobs{a.store}.Get(ctx, epochFile)
	if err != nil {
		return err
	}
	if !found {
		return a.store.Put(ctx, epochFile, []byte(a.o.Config.Epoch.String()))
	}
	if was, err := time.ParseDuration(string(data)); err != nil || was != a.o.Config.Epoch {
		return fmt.Errorf("epoch is %s, but %s was made with %s: start with --epoch %s, or with another data_dir",
			a.o.Config.Epoch, a.o.Config.DataDir, data, data)
	}
	return nil
}
