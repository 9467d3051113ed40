package board

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
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
	"github.com/millrace/millrace/internal/plan/plantest"
	"github.com/millrace/millrace/internal/ranking"
	"github.com/millrace/millrace/speed/embedded/redistest"
	"github.com/millrace/millrace/speed/redisboard"
	"github.com/millrace/millrace/speed/redisview"
	"github.com/millrace/millrace/speed/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	games = `CREATE STREAM games (ts DateTime64(3), user String, n Int64) WITH (event_time = 'ts', partition_by = 'user', partitions = 2)`
	best  = `CREATE LEADERBOARD best AS SELECT user, sum(n) AS score FROM games GROUP BY user WITH (windows = 'all,day', tie = 'first', keep = '30d')`
)

// rig is a log of two partitions, a Redis, and a worker of the first partition between them.
type rig struct {
	t      *testing.T
	random *rand.Rand
	plan   *plan.Board
	log    stream.Log
	store  *redisboard.Store // of the worker, with faults
	client *redis.Client     // of the test
	faults atomic.Int64      // one of so many transactions is lost, before or after it is executed; 0: none
	fence  uint64

	mu  sync.Mutex
	now time.Time  // of the floor and of the log
	cut worker.Cut // published; what History gives
}

func newRig(t *testing.T, url string) *rig {
	t.Helper()
	seed := rand.Uint64()
	var err error
	if v := os.Getenv("MILLRACE_TEST_SEED"); v != "" {
		seed, err = strconv.ParseUint(v, 10, 64)
		must(t, err)
	}
	t.Logf("MILLRACE_TEST_SEED=%d", seed)
	r := &rig{t: t, random: rand.New(rand.NewPCG(seed, 0)), now: time.Unix(1_700_000_000, 0), cut: worker.Cut{Epoch: event.NoEpoch}, plan: plantest.Board(t, games, best)}
	back := memstream.NewStore(r.clock).Open()
	r.log, err = back.Open(t.Context(), "games.1", 2)
	must(t, err)
	t.Cleanup(func() { r.log.Close(); back.Close() })
	o, err := redis.ParseURL(url)
	must(t, err)
	r.client = redis.NewClient(o)
	faulty := redis.NewClient(o)
	faulty.AddHook(&lossy{every: &r.faults})
	t.Cleanup(func() { r.client.Close(); faulty.Close() })
	r.store = redisboard.New(faulty)
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

var errLost = errors.New("connection lost by the test")

// lossy is a hook that loses connections at transactions, by chance.
type lossy struct{ every *atomic.Int64 }

func (l *lossy) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (l *lossy) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (l *lossy) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		every := l.every.Load()
		if every == 0 || cmds[len(cmds)-1].Name() != "exec" || rand.Int64N(every) != 0 {
			return next(ctx, cmds)
		}
		if rand.IntN(2) == 0 {
			return errLost
		}
		return errors.Join(next(ctx, cmds), errLost)
	}
}

func (r *rig) tail() stream.TailOptions {
	return stream.TailOptions{Log: r.log, Schema: r.plan.View.Stream.Schema, EpochLength: time.Second}
}

// running is a worker at work.
type running struct {
	*Worker
	cancel context.CancelFunc
	done   chan error
}

func (r *rig) start() *running { return r.startWith(r.history) }

func (r *rig) startWith(history History) *running {
	r.fence++
	ctx, cancel := context.WithCancel(context.Background())
	w := &running{cancel: cancel, done: make(chan error, 1), Worker: New(Options{
		Tail: r.tail(), Store: r.store, ID: "best.2", Plan: r.plan, Fence: r.fence, History: history,
		FlushEvery: time.Millisecond, Now: r.clock, Logger: slog.New(slog.DiscardHandler),
	})}
	go func() { w.done <- w.Run(ctx) }()
	return w
}

func (w *running) stop(t *testing.T) {
	t.Helper()
	w.cancel()
	must(t, <-w.done)
}

// append adds an entry of random events of members of the first partition; none: a tick.
func (r *rig) append(n int) uint64 {
	r.t.Helper()
	var b *event.Batch
	var segments []stream.Segment
	if n > 0 {
		b = event.NewBatch(r.plan.View.Stream.Schema)
		for b.Rows < n {
			name := fmt.Sprintf("user%d", r.random.IntN(60))
			if !ofFirst(name) {
				continue
			}
			b.Columns[0].AppendInt64((r.clock().Unix() - r.random.Int64N(5)*86400) * 1000)
			b.Columns[1].AppendString([]byte(name))
			b.Columns[2].AppendInt64(r.random.Int64N(9) - 2)
			b.Columns[3].AppendString(nil)
			b.Rows++
		}
		segments = []stream.Segment{{Rows: n}}
	}
	payload, err := stream.EncodeEntry(nil, b, segments)
	must(r.t, err)
	seq, err := r.log.Append(r.t.Context(), 0, payload)
	must(r.t, err)
	return seq
}

// ofFirst reports whether a member is of the first partition.
func ofFirst(name string) bool {
	v := event.Vector{Type: event.Type{Kind: event.String}}
	v.AppendString([]byte(name))
	return event.PartitionOf(event.AppendPartitionKey(nil, &v, 0), 2) == 0
}

// groups aggregates the log up to an entry, or of epochs at or under the cut.
func (r *rig) groups(take func(d *stream.Delivery) bool) *agg.Table {
	table := r.plan.View.NewTable()
	pipeline := r.plan.View.NewPipeline()
	head, err := r.log.Head(context.Background(), 0)
	must(r.t, err)
	tail, err := stream.OpenTail(context.Background(), r.tail())
	must(r.t, err)
	defer tail.Close()
	for at := uint64(0); at < head; {
		d, err := tail.Next(context.Background())
		must(r.t, err)
		if at = d.Seq; d.Count() > 0 && take(&d) {
			must(r.t, pipeline.Apply(d.Batch, d.Rows, table))
		}
	}
	return table
}

// history is a batch layer that has recomputed the epochs under the cut.
func (r *rig) history(_ context.Context, each func(*event.Batch) error) (worker.Cut, error) {
	r.mu.Lock()
	cut := r.cut
	r.mu.Unlock()
	if cut.Epoch == event.NoEpoch {
		return cut, nil
	}
	return cut, each(batchOf(r.groups(func(d *stream.Delivery) bool { return d.Epoch.CoveredBy(cut.Epoch) })))
}

// batchOf makes the batch layer's rows of a table, and for each the same of a member of the
// other partition.
func batchOf(table *agg.Table) *event.Batch {
	keys := table.KeyColumns()
	b := &event.Batch{Columns: []event.Vector{{Type: keys[0].Type}, {Type: keys[1].Type}}}
	for range table.States {
		b.Columns = append(b.Columns, event.Vector{Type: event.Type{Kind: event.String}})
	}
	for i := range table.Len() {
		names := [][]byte{keys[1].Str.At(i)}
		for n := 0; len(names) < 2; n++ {
			if other := fmt.Sprintf("other%d", n); !ofFirst(other) {
				names = append(names, []byte(other))
			}
		}
		for _, name := range names {
			b.Columns[0].AppendInt64(keys[0].I64[i])
			b.Columns[1].AppendString(name)
			for s, states := range table.States {
				b.Columns[2+s].AppendString(states.Append(nil, uint32(i)))
			}
			b.Rows++
		}
	}
	return b
}

// publish moves the cut to the last whole epoch.
func (r *rig) publish() {
	head, err := r.log.Head(r.t.Context(), 0)
	must(r.t, err)
	cut := worker.Cut{Epoch: event.NoEpoch}
	now := event.EpochOf(r.clock().UnixNano(), time.Second)
	tail, err := stream.OpenTail(r.t.Context(), r.tail())
	must(r.t, err)
	defer tail.Close()
	for at := uint64(0); at < head; {
		d, err := tail.Next(r.t.Context())
		must(r.t, err)
		if at = d.Seq; d.Epoch < now {
			cut = worker.Cut{Epoch: d.Epoch, Seq: d.Seq, Arrival: d.Arrival}
		}
	}
	if r.random.IntN(3) == 0 && cut.Seq > 1 {
		cut.Seq-- // an entry under the cut, though not the last one
	}
	r.mu.Lock()
	r.cut = cut
	r.mu.Unlock()
}

// content is what Redis holds: each window's members in order.
func (r *rig) content() (string, redisboard.Checkpoint, bool) {
	reads := redisboard.New(r.client)
	at := redisboard.Board{ID: "best.2", Plan: r.plan}
	c, windows, ok, err := reads.Load(r.t.Context(), at)
	must(r.t, err)
	if !ok || c.Building {
		return "", c, false
	}
	slices.SortFunc(windows, byWindow)
	readings, err := reads.Read(r.t.Context(), []redisboard.Board{at}, func(int) (qs []redisboard.Question) {
		for _, in := range windows {
			qs = append(qs, redisboard.Question{What: redisboard.From, Instance: in, N: math.MaxInt32})
		}
		return qs
	})
	must(r.t, err)
	if readings[0].Checkpoint != c {
		return "", c, false // it went on in between
	}
	var b strings.Builder
	for i, in := range windows {
		fmt.Fprintf(&b, "%v %x\n", in, readings[0].Answers[i].Elements)
	}
	return b.String(), c, true
}

func byWindow(x, y ranking.Instance) int {
	if x.Window != y.Window {
		return x.Window - y.Window
	}
	return int(x.Start - y.Start)
}

// expect ranks the whole log.
func (r *rig) expect(floor int64) string {
	tally := ranking.NewTally(r.plan)
	must(r.t, tally.Add(tally.TableGroups(r.groups(func(*stream.Delivery) bool { return true })), nil, floor))
	instances, members := tally.Totals()
	keys, err := tally.Keys()
	must(r.t, err)
	order := map[ranking.Instance][][]byte{}
	for i, in := range instances {
		order[in] = append(order[in], redisboard.Element(keys[i], members[i]))
	}
	var windows []ranking.Instance
	for in := range order {
		windows = append(windows, in)
	}
	slices.SortFunc(windows, byWindow)
	var b strings.Builder
	for _, in := range windows {
		slices.SortFunc(order[in], bytes.Compare)
		fmt.Fprintf(&b, "%v %x\n", in, order[in])
	}
	return b.String()
}

// settle waits until Redis holds the whole log, and compares it.
func (r *rig) settle() {
	r.t.Helper()
	r.settleAt(r.expect)
}

// settleAt waits until Redis holds the whole log, and compares it with what is expected
// with the floor that it has.
func (r *rig) settleAt(expect func(floor int64) string) {
	r.t.Helper()
	head, err := r.log.Head(r.t.Context(), 0)
	must(r.t, err)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		got, c, ok := r.content()
		if ok && c.Seq == head {
			if want := expect(c.Floor); got != want {
				r.t.Fatalf("at entry %d Redis holds\n%snot\n%s", c.Seq, got, want)
			}
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("waited in vain for entry %d; it is %+v", head, c)
		}
	}
}

// TestWorker does at random what happens to a worker, and compares Redis with the log.
func TestWorker(t *testing.T) {
	redistest.Each(t, func(t *testing.T, url string) {
		r := newRig(t, url)
		w := r.start()
		for range 60 {
			switch r.random.IntN(10) {
			case 0:
				must(t, r.client.FlushAll(t.Context()).Err())
			case 1:
				w.stop(t)
				w = r.start()
			case 2:
				older := w
				w = r.start()
				select {
				case err := <-older.done:
					if !errors.Is(err, redisview.ErrFenced) {
						t.Fatalf("the older worker ended with %v", err)
					}
				case <-time.After(20 * time.Second):
					t.Fatal("the older worker does not end")
				}
				older.cancel()
			case 3:
				r.publish()
			case 4:
				r.faults.Store([]int64{0, 4, 7}[r.random.IntN(3)])
			case 5:
				r.advance(time.Duration(r.random.IntN(3000)) * time.Millisecond)
				r.append(0)
			default:
				for range 1 + r.random.IntN(4) {
					r.append(1 + r.random.IntN(50))
				}
			}
			if r.random.IntN(2) == 0 {
				r.settle()
			}
		}
		r.faults.Store(0)
		r.append(5)
		r.settle()
		w.stop(t)
	})
}

// TestTrimmed begins anew where the log no longer has what follows the state.
func TestTrimmed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, url string) {
		r := newRig(t, url)
		r.append(20)
		w := r.start()
		r.settle()
		w.stop(t)
		r.advance(time.Second)
		r.append(20)
		r.append(20)
		r.advance(time.Second)
		r.append(20)
		r.publish()
		want := r.expect(math.MinInt64)
		whole := r.groups(func(d *stream.Delivery) bool { return d.Epoch.CoveredBy(r.cut.Epoch) })
		must(t, r.log.Trim(t.Context(), 0, r.cut.Seq+1))
		frozen := r.cut
		w = r.startWith(func(_ context.Context, each func(*event.Batch) error) (worker.Cut, error) {
			return frozen, each(batchOf(whole))
		})
		r.settleAt(func(int64) string { return want })
		w.stop(t)
	})
}

// TestFloor drops past windows once they are older than what is kept.
func TestFloor(t *testing.T) {
	redistest.Each(t, func(t *testing.T, url string) {
		r := newRig(t, url)
		w := r.start()
		r.append(50)
		r.settle()
		before, _, _ := r.content()
		r.advance(33 * 24 * time.Hour)
		r.append(50)
		r.settle()
		got, c, _ := r.content()
		if floor := r.clock().Add(-30 * 24 * time.Hour).Unix(); c.Floor > floor || c.Floor < floor-floorStep {
			t.Errorf("the floor is %d, and %d is kept", c.Floor, floor)
		}
		if strings.Count(before, "\n") <= strings.Count(got, "\n")-5 || strings.Count(got, "\n") > 9 {
			t.Errorf("windows before:\n%sand after:\n%s", before, got)
		}
		w.stop(t)
	})
}

// TestUnreadable builds again what it cannot read.
func TestUnreadable(t *testing.T) {
	redistest.Each(t, func(t *testing.T, url string) {
		r := newRig(t, url)
		w := r.start()
		r.append(50)
		r.settle()
		for _, key := range r.client.Keys(t.Context(), "mb:*:t:all").Val() {
			for field := range r.client.HGetAll(t.Context(), key).Val() {
				must(t, r.client.HSet(t.Context(), key, field, "\x01xbroken").Err())
			}
		}
		r.append(50)
		r.settle()
		w.stop(t)
		must(t, r.client.Set(t.Context(), "mb:{best.2:0}:pos", "what", 0).Err())
		w = r.start()
		<-w.Ready()
		r.settle()
		w.stop(t)
	})
}
