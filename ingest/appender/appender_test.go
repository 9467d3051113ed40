package appender

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/ingest/stream/memstream"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testStream has the columns ts, user, n.
func testStream(t testing.TB, partitions int, partitionBy ...int) *plan.Stream {
	t.Helper()
	s, err := event.NewSchema(
		event.Column{Name: "ts", Type: event.Type{Kind: event.DateTime64, Precision: 3}},
		event.Column{Name: "user", Type: event.Type{Kind: event.String}},
		event.Column{Name: "n", Type: event.Type{Kind: event.Int64, Nullable: true}},
		event.Column{Name: event.ExtraColumn, Type: event.Type{Kind: event.String}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return &plan.Stream{Name: "t", Schema: s, Partitions: partitions, PartitionBy: partitionBy}
}

// batchOf makes a batch with one row for each n; its user is one of a few.
func batchOf(s *plan.Stream, ns ...int64) *event.Batch {
	b := event.NewBatch(s.Schema)
	for _, n := range ns {
		b.Columns[0].AppendInt64(n)
		b.Columns[1].AppendString(fmt.Appendf(nil, "user-%d", n%7))
		b.Columns[2].AppendInt64(n)
		b.Columns[3].AppendString(nil)
		b.Rows++
	}
	return b
}

// paddedBatch makes a batch of the rows 0..rows-1 with so many bytes of _extra each.
func paddedBatch(s *plan.Stream, rows, bytes int) *event.Batch {
	b := batchOf(s, numbers(0, rows)...)
	b.Columns[3].Reset()
	for range rows {
		b.Columns[3].AppendString(make([]byte, bytes))
	}
	return b
}

func numbers(from, n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(from + i)
	}
	return out
}

// open makes an appender over a log in memory.
func open(t testing.TB, s *plan.Stream, change func(*Options)) (*Appender, *memstream.Backend, stream.Log) {
	t.Helper()
	backend := memstream.New()
	log, err := backend.Open(context.Background(), "t.1", s.Partitions)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{StreamID: "t.1", Stream: s, Log: log}
	if change != nil {
		change(&o)
	}
	return New(o), backend, log
}

func closeAppender(t testing.TB, a *Appender) {
	t.Helper()
	if err := a.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// stored reads the values of n that count, by partition, through Tails.
func stored(t fataler, s *plan.Stream, log stream.Log) [][]int64 {
	ctx := context.Background()
	out := make([][]int64, s.Partitions)
	for p := range out {
		head, err := log.Head(ctx, p)
		if err != nil {
			t.Fatalf("head: %v", err)
		}
		tail, err := stream.OpenTail(ctx, stream.TailOptions{Log: log, Partition: p, Schema: s.Schema, EpochLength: time.Minute})
		if err != nil {
			t.Fatalf("open tail: %v", err)
		}
		for seq := uint64(0); seq < head; {
			d, err := tail.Next(ctx)
			if err != nil {
				t.Fatalf("next: %v", err)
			}
			seq = d.Seq
			if d.Rows == nil {
				out[p] = append(out[p], d.Batch.Columns[2].I64...)
			}
			for _, r := range d.Rows {
				out[p] = append(out[p], d.Batch.Columns[2].I64[r])
			}
		}
		if err := tail.Close(); err != nil {
			t.Fatalf("close tail: %v", err)
		}
	}
	return out
}

type fataler interface {
	Fatalf(format string, args ...any)
}

func flatten(parts [][]int64) []int64 {
	all := slices.Concat(parts...)
	slices.Sort(all)
	return all
}

func status(err error) int {
	var p *problem.Problem
	if errors.As(err, &p) {
		return p.Status
	}
	return 0
}

func TestRowsGoToThePartitionOfTheirKey(t *testing.T) {
	s := testStream(t, 4, 1)
	a, _, log := open(t, s, nil)
	defer closeAppender(t, a)
	for i := range 10 {
		if _, err := a.Append(context.Background(), batchOf(s, numbers(i*100, 100)...), ""); err != nil {
			t.Fatal(err)
		}
	}
	got := stored(t, s, log)
	home := map[int64]int{}
	for p, ns := range got {
		for _, n := range ns {
			if before, ok := home[n%7]; ok && before != p {
				t.Fatalf("user-%d is in partitions %d and %d", n%7, before, p)
			}
			home[n%7] = p
		}
	}
	if all := flatten(got); !slices.Equal(all, numbers(0, 1000)) {
		t.Fatalf("stored %d rows, want 1000 each once", len(all))
	}
}

func TestPartitionLayoutNeverChanges(t *testing.T) {
	s := testStream(t, 1)
	b := batchOf(s, 5)
	b.Columns[2].AppendZero(true)
	got := fmt.Sprintf("%x", appendKey(nil, b, []int{0, 1, 2}, 0))
	if want := "010500000000000000" + "0106757365722d35" + "010500000000000000"; got != want {
		t.Errorf("key %s, want %s", got, want)
	}
	if got := appendKey(nil, b, []int{2}, 1); string(got) != "\x00" {
		t.Errorf("null key %x", got)
	}
}

func TestRetryIsCountedOnce(t *testing.T) {
	for _, big := range []bool{false, true} {
		t.Run(fmt.Sprintf("big=%v", big), func(t *testing.T) {
			s := testStream(t, 3, 1)
			a, _, log := open(t, s, nil)
			rows := 100
			b := batchOf(s, numbers(0, rows)...)
			if big {
				rows = 20_000
				b = paddedBatch(s, rows, 1000)
			}
			for range 3 {
				if r, err := a.Append(context.Background(), b, "key"); err != nil || r.Rows != rows {
					t.Fatal(r, err)
				}
			}
			if heads := a.Heads(); big && slices.Max(heads) < 3*2 {
				t.Fatalf("heads %v: want several entries of a request in a partition", heads)
			}
			closeAppender(t, a)
			// As after a restart: another appender, the same keys.
			later := New(Options{StreamID: "t.1", Stream: s, Log: log})
			if _, err := later.Append(context.Background(), b, "key"); err != nil {
				t.Fatal(err)
			}
			closeAppender(t, later)
			if all := flatten(stored(t, s, log)); !slices.Equal(all, numbers(0, rows)) {
				t.Fatalf("%d rows count, want %d each once", len(all), rows)
			}
		})
	}
}

func TestSmallRequestsShareEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testStream(t, 1)
		a, backend, log := open(t, s, func(o *Options) { o.Linger = DefaultLinger })
		defer closeAppender(t, a)
		backend.Store().Inject(memstream.Faults{Append: func(memstream.Append) memstream.Fault {
			return memstream.Fault{Delay: time.Millisecond}
		}})
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				if _, err := a.Append(context.Background(), batchOf(s, int64(i)), ""); err != nil {
					t.Error(err)
				}
			})
		}
		start := time.Now()
		wg.Wait()
		if took := time.Since(start); took != DefaultLinger+time.Millisecond {
			t.Errorf("took %s", took)
		}
		if heads := a.Heads(); heads[0] != 1 {
			t.Errorf("50 requests took %d entries", heads[0])
		}
		if all := flatten(stored(t, s, log)); !slices.Equal(all, numbers(0, 50)) {
			t.Errorf("stored %v", all)
		}
	})
}

func TestErrors(t *testing.T) {
	lost := errors.New("connection lost")
	cases := []struct {
		name   string
		key    string
		fault  func(memstream.Append) memstream.Fault
		status int    // 0: success
		text   string // in the error
		rows   int    // that count in the end
	}{
		{"busy", "", func(memstream.Append) memstream.Fault { return memstream.Fault{Err: stream.ErrBusy} }, 503, "none of this request's is stored", 0},
		{"busy with a key", "k", func(memstream.Append) memstream.Fault { return memstream.Fault{Err: stream.ErrBusy} }, 503, "none of this request's is stored", 0},
		{"one partition is lost for a while", "", func(a memstream.Append) memstream.Fault {
			if a.Partition == 1 && a.Try < 10 {
				return memstream.Fault{Err: lost}
			}
			return memstream.Fault{}
		}, 0, "", 100},
		{"one partition is busy for a while", "", func(a memstream.Append) memstream.Fault {
			if a.Partition == 1 && a.Try < 10 {
				return memstream.Fault{Err: stream.ErrBusy}
			}
			return memstream.Fault{}
		}, 0, "", 100},
		{"replies get lost", "", func(a memstream.Append) memstream.Fault {
			if a.Try < 10 {
				return memstream.Fault{Err: lost, TakesEffect: true}
			}
			return memstream.Fault{}
		}, 0, "", 100},
		{"a reply gets lost, with a key", "k", func(a memstream.Append) memstream.Fault {
			return memstream.Fault{Err: lost, TakesEffect: true}
		}, 503, "same Idempotency-Key", 100},
		{"stalled", "", func(memstream.Append) memstream.Fault { return memstream.Fault{Delay: time.Hour} }, 503, "send an Idempotency-Key", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := testStream(t, 2, 1)
				a, backend, log := open(t, s, nil)
				defer closeAppender(t, a)
				backend.Store().Inject(memstream.Faults{Append: c.fault})
				_, err := a.Append(context.Background(), batchOf(s, numbers(0, 100)...), c.key)
				if status(err) != c.status || (err != nil) != (c.status != 0) || err != nil && !strings.Contains(err.Error(), c.text) {
					t.Fatalf("error %v, want status %d", err, c.status)
				}
				if all := flatten(stored(t, s, log)); !slices.Equal(all, numbers(0, c.rows)) {
					t.Errorf("%d rows count, want %d", len(all), c.rows)
				}
			})
		})
	}
}

func TestClosedAppenderRefuses(t *testing.T) {
	s := testStream(t, 1)
	a, _, _ := open(t, s, nil)
	closeAppender(t, a)
	if _, err := a.Append(context.Background(), batchOf(s, 1), ""); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v", err)
	}
	closeAppender(t, a) // again
}

func TestHugeEventIsRefused(t *testing.T) {
	s := testStream(t, 1)
	a, _, log := open(t, s, nil)
	defer closeAppender(t, a)
	b := batchOf(s, 1)
	noise := make([]byte, stream.MaxEntryBytes+1)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(noise)
	b.Columns[0].AppendInt64(2)
	b.Columns[1].AppendString(noise)
	b.Columns[2].AppendInt64(2)
	b.Columns[3].AppendString(nil)
	b.Rows++
	if _, err := a.Append(context.Background(), b, ""); status(err) != http.StatusRequestEntityTooLarge {
		t.Errorf("error %v", err)
	}
	if all := flatten(stored(t, s, log)); len(all) != 0 {
		t.Errorf("stored %v of a refused request", all)
	}
}

// TestExactlyOnce sends the same rows in random requests, some at once, against a log
// that fails in all ways; requests with a key are sent until they succeed. Each row
// must count exactly once.
func TestExactlyOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		partitions := rapid.IntRange(1, 5).Draw(rt, "partitions")
		var by []int
		if rapid.Bool().Draw(rt, "keyed") {
			by = []int{1}
		}
		s := testStream(t, partitions, by...)
		backend := memstream.New()
		log, err := backend.Open(context.Background(), "t.1", partitions)
		if err != nil {
			rt.Fatalf("open: %v", err)
		}
		a := New(Options{StreamID: "t.1", Stream: s, Log: log, Linger: 100 * time.Microsecond})
		fails := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 40).Draw(rt, "faults")
		backend.Store().Inject(memstream.Faults{Append: func(x memstream.Append) memstream.Fault {
			if x.Try > len(fails) {
				return memstream.Fault{}
			}
			return []memstream.Fault{{}, {Err: stream.ErrBusy}, {Err: errors.New("lost")}, {Err: errors.New("reply lost"), TakesEffect: true}}[fails[x.Try-1]]
		}})
		sizes := rapid.SliceOfN(rapid.IntRange(1, 200), 1, 12).Draw(rt, "requests")
		atOnce := rapid.IntRange(1, 4).Draw(rt, "atOnce")
		again := rapid.IntRange(0, 2).Draw(rt, "again")
		var wg sync.WaitGroup
		slots := make(chan struct{}, atOnce)
		from := 0
		for i, n := range sizes {
			b := batchOf(s, numbers(from, n)...)
			from += n
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				key := fmt.Sprintf("request-%d", i)
				for successes := 0; successes <= again; {
					if _, err := a.Append(context.Background(), b, key); err == nil {
						successes++
					}
				}
			})
		}
		wg.Wait()
		if err := a.Close(context.Background()); err != nil {
			rt.Fatalf("close: %v", err)
		}
		if all := flatten(stored(rt, s, log)); !slices.Equal(all, numbers(0, from)) {
			rt.Fatalf("%d rows count, want %d each once: %v", len(all), from, all)
		}
	})
}

func TestBudget(t *testing.T) {
	b := NewBudget(100)
	x, y := b.Reserve(), b.Reserve()
	if err := x.Resize(150); err != nil {
		t.Error("a reservation that is alone was refused:", err)
	}
	if err := y.Resize(1); status(err) != http.StatusServiceUnavailable {
		t.Errorf("error %v", err)
	}
	if err := x.Resize(60); err != nil {
		t.Error(err)
	}
	if err := y.Resize(40); err != nil {
		t.Error(err)
	}
	if err := y.Resize(41); err == nil || b.Used() != 100 {
		t.Errorf("error %v, used %d", err, b.Used())
	}
	x.Release()
	x.Release()
	if b.Used() != 40 {
		t.Errorf("used %d", b.Used())
	}
}

func TestReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		r := NewReplies[int](2)
		calls := 0
		work := func() (int, error) { calls++; time.Sleep(time.Second); return calls, nil }
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if v, _, err := r.Do(ctx, "a", 1, work); v != 1 || err != nil {
					t.Error(v, err)
				}
			})
		}
		wg.Wait()
		if calls != 1 {
			t.Errorf("%d calls at once", calls)
		}
		if _, _, err := r.Do(ctx, "a", 2, work); !errors.Is(err, ErrKeyReused) {
			t.Errorf("another body: %v", err)
		}
		if _, _, err := r.Do(ctx, "b", 1, func() (int, error) { return 0, stream.ErrBusy }); !errors.Is(err, stream.ErrBusy) {
			t.Errorf("error %v", err)
		}
		for _, key := range []string{"b", "c"} { // c pushes a out
			if _, repeated, err := r.Do(ctx, key, 1, work); repeated || err != nil {
				t.Error(key, repeated, err)
			}
		}
		if _, repeated, _ := r.Do(ctx, "b", 1, work); !repeated {
			t.Error("b was forgotten")
		}
		if _, repeated, _ := r.Do(ctx, "a", 1, work); repeated {
			t.Error("a was kept beyond the memory's size")
		}
		if len(r.byKey) != 2 {
			t.Errorf("%d keys kept", len(r.byKey))
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, rows := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			s := testStream(b, 4, 1)
			a, _, _ := open(b, s, nil)
			defer closeAppender(b, a)
			batch := batchOf(s, numbers(0, rows)...)
			b.SetBytes(int64(batch.SizeBytes()))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Append(context.Background(), batch, ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
