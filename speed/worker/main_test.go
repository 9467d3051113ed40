package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/ingest/stream/memstream"
	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/speed/embedded"
	"github.com/millrace/millrace/speed/redisview"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testEpoch = time.Second

// testStream and testViews are what all tests of the package run on.
const testStream = `CREATE STREAM clicks (ts DateTime64(3), user String, page String, n Int64)
	WITH (event_time = 'ts', partition_by = 'user', partitions = 1)`

var testViews = map[string]string{
	"pages.1": `CREATE VIEW pages AS SELECT page, count() AS hits, sum(n) AS total, uniq(user) AS users
		FROM clicks GROUP BY page, tumble(ts, INTERVAL 1 MINUTE)`,
	"big.2": `CREATE VIEW big AS SELECT user, count() AS hits, max(n) AS most FROM clicks WHERE n > 50 GROUP BY user`,
}

func statement[S sql.Statement](tb testing.TB, text string) S {
	tb.Helper()
	parsed, err := sql.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return parsed[0].(S)
}

func buildViews(tb testing.TB) (*plan.Stream, map[string]*plan.View) {
	tb.Helper()
	s, err := plan.BuildStream(statement[*sql.CreateStream](tb, testStream))
	if err != nil {
		tb.Fatal(err)
	}
	views := make(map[string]*plan.View)
	for id, text := range testViews {
		if views[id], err = plan.BuildView(statement[*sql.CreateView](tb, text), s); err != nil {
			tb.Fatal(err)
		}
	}
	return s, views
}

// clock is the log's clock, moved by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// rig is a stream, a Redis and, one after the other, workers between them.
type rig struct {
	tb     testing.TB
	stream *plan.Stream
	views  map[string]*plan.View
	clock  clock
	log    stream.Log
	back   *memstream.Backend
	store  *redisview.Store // the workers', with faults
	reads  *redisview.Store // the test's own
	redis  *embedded.Server
	faults *faults
	fence  atomic.Uint64
	every  time.Duration

	mu  sync.Mutex
	cut Cut
}

func newRig(tb testing.TB, inProcess bool) *rig {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil && !inProcess {
		tb.Skip("no redis-server on the PATH: install it to run this test")
	}
	r := &rig{tb: tb, cut: Cut{Epoch: event.NoEpoch}, faults: &faults{}, every: time.Millisecond}
	r.clock.now = time.Unix(1_700_000_000, 0)
	r.stream, r.views = buildViews(tb)
	var err error
	r.redis, err = embedded.Start(context.Background(), embedded.Options{Dir: tb.TempDir(), InProcess: inProcess, Logger: quiet})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(r.redis.Stop)
	if r.store, err = redisview.Open(r.redis.URL()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { r.store.Close() })
	r.store.Client().AddHook(r.faults)
	if r.reads, err = redisview.Open(r.redis.URL()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { r.reads.Close() })
	r.back = memstream.NewStore(r.clock.read).Open()
	if r.log, err = r.back.Open(context.Background(), "clicks.1", 1); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { r.log.Close(); r.back.Close() })
	return r
}

var quiet = slog.New(slog.DiscardHandler)

// running is a worker at work.
type running struct {
	*Worker
	cancel context.CancelFunc
	done   chan error
}

// start runs a new worker with all views added.
func (r *rig) start(ids ...string) *running {
	r.tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &running{Worker: New(r.options()), cancel: cancel, done: make(chan error, 1)}
	go func() { w.done <- w.Run(ctx) }()
	for _, id := range ids {
		if err := w.AddView(ctx, id, r.views[id]); err != nil {
			r.tb.Fatal(err)
		}
	}
	return w
}

func (r *rig) options() Options {
	return Options{
		Tail: stream.TailOptions{
			Log: r.log, Schema: r.stream.Schema, EpochLength: testEpoch,
		},
		Store: r.store, Fence: r.fence.Add(1), FlushEvery: r.every, Logger: quiet,
		Cut: func(context.Context, string) (Cut, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.cut, nil
		},
	}
}

func (w *running) stop(tb testing.TB) {
	tb.Helper()
	w.cancel()
	if err := <-w.done; err != nil {
		tb.Fatal(err)
	}
}

// append adds an entry of n random rows at the clock's time; 0 rows make a tick.
func (r *rig) append(rng *rand.Rand, n int) uint64 {
	r.tb.Helper()
	var b *event.Batch
	var segments []stream.Segment
	if n > 0 {
		b = randomBatch(r.stream.Schema, rng, n)
		segments = []stream.Segment{{Rows: n}}
	}
	payload, err := stream.EncodeEntry(nil, b, segments)
	if err != nil {
		r.tb.Fatal(err)
	}
	seq, err := r.log.Append(context.Background(), 0, payload)
	if err != nil {
		r.tb.Fatal(err)
	}
	return seq
}

func randomBatch(s *event.Schema, rng *rand.Rand, n int) *event.Batch {
	b := event.NewBatch(s)
	for range n {
		b.Columns[0].AppendInt64(1_600_000_000_000 + rng.Int64N(600_000))
		b.Columns[1].AppendString(fmt.Append(nil, "user", rng.IntN(40)))
		b.Columns[2].AppendString(fmt.Append(nil, "/page/", rng.IntN(7)))
		b.Columns[3].AppendInt64(rng.Int64N(100))
		b.Columns[4].AppendString(nil)
	}
	b.Rows = n
	return b
}

// expect aggregates the log itself: the entries up to seq of epochs after the cut.
func (r *rig) expect(id string, cut event.Epoch, seq uint64) map[string]string {
	r.tb.Helper()
	table := r.views[id].NewTable()
	pipeline := r.views[id].NewPipeline()
	tail, err := stream.OpenTail(context.Background(), stream.TailOptions{Log: r.log, Schema: r.stream.Schema, EpochLength: testEpoch})
	if err != nil {
		r.tb.Fatal(err)
	}
	defer tail.Close()
	for at := uint64(0); at < seq; {
		d, err := tail.Next(context.Background())
		if err != nil {
			r.tb.Fatal(err)
		}
		at = d.Seq
		if d.Count() == 0 || d.Epoch <= cut {
			continue
		}
		if err := pipeline.Apply(d.Batch, d.Rows, table); err != nil {
			r.tb.Fatal(err)
		}
	}
	return groups(table)
}

// groups is the content of a table: key to finalised values.
func groups(t *agg.Table) map[string]string {
	out := make(map[string]string, t.Len())
	for g := range t.Len() {
		out[string(t.AppendKey(nil, uint32(g)))] = ""
	}
	for i := range t.States {
		final := t.Final(i)
		for g := range t.Len() {
			out[string(t.AppendKey(nil, uint32(g)))] += fmt.Sprint(final.Value(g), " ")
		}
	}
	return out
}

// snapshot reads a view as the serving layer does.
func (r *rig) snapshot(id string, cut event.Epoch) (redisview.Snapshot, map[string]string) {
	r.tb.Helper()
	snap, err := r.reads.Snapshot(context.Background(), id, 0, cut, nil)
	if err != nil {
		r.tb.Fatal(err)
	}
	table := r.views[id].NewTable()
	for _, e := range snap.Epochs {
		if err := fill(table, e.Partials); err != nil {
			r.tb.Fatal(err)
		}
	}
	return snap, groups(table)
}

// errInjected is what an injected fault returns.
var errInjected = errors.New("connection lost by the test")

// faults is a hook that loses every n-th transaction, before or after it is executed.
type faults struct {
	every atomic.Int64 // 0: none
	count atomic.Int64
	down  atomic.Bool
}

func (f *faults) DialHook(next redis.DialHook) redis.DialHook { return next }
func (f *faults) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if f.down.Load() {
			return errInjected
		}
		return next(ctx, cmd)
	}
}

func (f *faults) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		n, every := f.count.Add(1), f.every.Load()
		if f.down.Load() || every > 0 && n%(2*every) == 0 {
			return errInjected
		}
		err := next(ctx, cmds)
		if err == nil && every > 0 && n%(2*every) == every {
			return errInjected
		}
		return err
	}
}

// await polls until ok.
func await(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("waited in vain until %s", what)
		}
	}
}
