package stream_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/ingest/stream/memstream"
	"github.com/millrace/millrace/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const epochLength = 10 * time.Second

// events is a stream with a nullable string and a number to deduplicate by, and the
// event's own number.
func events(t testing.TB) *event.Schema {
	s, err := event.NewSchema(
		event.Column{Name: "id", Type: event.Type{Kind: event.String, Nullable: true}},
		event.Column{Name: "part", Type: event.Type{Kind: event.Float64}},
		event.Column{Name: "n", Type: event.Type{Kind: event.Int64}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// row is one event; an empty id is null.
type row struct {
	id   string
	part float64
}

// logged is one entry as the test knows it.
type logged struct {
	at       time.Time
	tick     bool
	rows     []row
	segments []stream.Segment
}

// fixture is a log whose clock the test sets.
type fixture struct {
	schema *event.Schema
	log    stream.Log
	clock  time.Time
	next   int64 // number of the next event
}

func newFixture(t testing.TB) *fixture {
	f := &fixture{schema: events(t), clock: time.Unix(1_700_000_000, 0)}
	b := memstream.NewStore(func() time.Time { return f.clock }).Open()
	log, err := b.Open(context.Background(), "events", 1)
	if err != nil {
		t.Fatal(err)
	}
	f.log = log
	return f
}

func (f *fixture) append(t fataler, e logged) {
	var batch *event.Batch
	if !e.tick {
		batch = event.NewBatch(f.schema)
		for _, r := range e.rows {
			if r.id == "" {
				batch.Columns[0].AppendZero(true)
			} else {
				batch.Columns[0].AppendString([]byte(r.id))
			}
			batch.Columns[1].AppendFloat64(r.part)
			batch.Columns[2].AppendInt64(f.next)
			f.next++
			batch.Rows++
		}
	}
	payload, err := stream.EncodeEntry(nil, batch, e.segments)
	if err != nil {
		t.Fatal(err)
	}
	f.clock = e.at
	if _, err := f.log.Append(context.Background(), 0, payload); err != nil {
		t.Fatal(err)
	}
}

type fataler interface{ Fatal(...any) }

func (f *fixture) options() stream.TailOptions {
	return stream.TailOptions{
		Log: f.log, Schema: f.schema, EpochLength: epochLength,
		IdempotencyWindow: 25 * time.Second, // 3 epochs
	}
}

// delivery is a Delivery in a form that compares: which events counted.
type delivery struct {
	seq     uint64
	arrival int64
	epoch   event.Epoch
	events  string
}

func readAll(t fataler, o stream.TailOptions) []delivery {
	ctx := context.Background()
	head, err := o.Log.Head(ctx, o.Partition)
	if err != nil {
		t.Fatal(err)
	}
	tail, err := stream.OpenTail(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	var out []delivery
	for seq := o.After; seq < head; seq++ {
		d, err := tail.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, delivery{d.Seq, d.Arrival, d.Epoch, counted(&d)})
	}
	return out
}

func counted(d *stream.Delivery) string {
	if d.Batch == nil {
		return "tick"
	}
	if d.Rows == nil {
		return fmt.Sprint(d.Batch.Columns[2].I64)
	}
	out := []int64{}
	for _, r := range d.Rows {
		out = append(out, d.Batch.Columns[2].I64[r])
	}
	if len(out) != d.Count() {
		return fmt.Sprintf("Count is %d for %v", d.Count(), out)
	}
	return fmt.Sprint(out)
}

func drawLog(t *rapid.T, f *fixture) {
	ids := []string{"", "a", "b", "c"}
	for range rapid.IntRange(1, 40).Draw(t, "entries") {
		// Mostly forward, now and then a step back of less than the slack.
		step := rapid.SampledFrom([]time.Duration{0, time.Second, 4 * time.Second, 11 * time.Second, 35 * time.Second, -3 * time.Second}).Draw(t, "step")
		e := logged{at: f.clock.Add(step), tick: rapid.IntRange(0, 4).Draw(t, "tick") == 0}
		if !e.tick {
			for range rapid.IntRange(1, 3).Draw(t, "segments") {
				s := stream.Segment{Rows: rapid.IntRange(1, 3).Draw(t, "rows")}
				s.Key[0] = rapid.SampledFrom([]byte{0, 0, 1, 2, 3}).Draw(t, "key")
				for range s.Rows {
					e.rows = append(e.rows, row{rapid.SampledFrom(ids).Draw(t, "id"), rapid.SampledFrom([]float64{0, 1}).Draw(t, "part")})
				}
				e.segments = append(e.segments, s)
			}
		}
		f.append(t, e)
	}
}

// TestTailIsTheSameFromAnywhere: what a tail delivers does not depend on where it was
// opened, nor on what was trimmed before it looked back.
func TestTailIsTheSameFromAnywhere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t)
		drawLog(rt, f)
		o := f.options()
		if rapid.Bool().Draw(rt, "dedupe") {
			o.DedupeKey = []int{0, 1}
			o.DedupeWindow = rapid.SampledFrom([]time.Duration{0, 5 * time.Second, 20 * time.Second, time.Hour}).Draw(rt, "window")
		}
		if rapid.Bool().Draw(rt, "cache") {
			o.Cache = stream.NewCache(rapid.IntRange(1, 5).Draw(rt, "cached"))
		}
		all := readAll(rt, o)
		for after := 1; after <= len(all); after++ {
			o.After, o.ArrivalFrom = all[after-1].seq, all[after-1].arrival
			expectSame(rt, readAll(rt, o), all[after:])
		}
		// Trimming what WarmupFrom does not need changes nothing.
		after := rapid.IntRange(1, len(all)).Draw(rt, "after")
		o.After, o.ArrivalFrom = all[after-1].seq, all[after-1].arrival
		keep, err := f.log.SeqAt(context.Background(), 0, o.WarmupFrom())
		if err != nil {
			rt.Fatal(err)
		}
		if err := f.log.Trim(context.Background(), 0, min(keep, o.After+1)); err != nil {
			rt.Fatal(err)
		}
		expectSame(rt, readAll(rt, o), all[after:])
	})
}

func expectSame(t fataler, got, want []delivery) {
	for i := range want {
		if got[i] != want[i] {
			t.Fatal(fmt.Sprintf("delivery %d is %v, not %v", i, got[i], want[i]))
		}
	}
}

// TestTailAgainstModel compares with the definition, applied to the whole log.
func TestTailAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t)
		type occurrence struct {
			key   any
			epoch event.Epoch
		}
		var seen []occurrence
		repeats := func(key any, epoch, window event.Epoch) bool {
			found := false
			for _, s := range seen {
				found = found || (s.key == key && s.epoch >= epoch-window)
			}
			seen = append(seen, occurrence{key, epoch})
			return found
		}
		drawLog(rt, f)
		o := f.options()
		o.DedupeKey, o.DedupeWindow = []int{0, 1}, 20*time.Second
		got := readAll(rt, o)

		r, err := f.log.Read(context.Background(), 0, 0)
		if err != nil {
			rt.Fatal(err)
		}
		arrival := int64(0)
		for _, d := range got {
			e, err := r.Next(context.Background())
			if err != nil {
				rt.Fatal(err)
			}
			arrival = max(arrival, e.Time.UnixNano())
			want := delivery{e.Seq, arrival, event.Epoch(arrival / int64(epochLength)), "tick"}
			batch, segments, err := stream.DecodeEntry(e.Payload, f.schema)
			if err != nil {
				rt.Fatal(err)
			}
			if batch != nil {
				counts, at := []int64{}, 0
				for _, s := range segments {
					drop := s.Key != (stream.Key{}) && repeats(s.Key, want.epoch, 3)
					for end := at + s.Rows; at < end; at++ {
						key := fmt.Sprint(batch.Columns[0].Value(at), batch.Columns[1].Value(at))
						if !repeats(key, want.epoch, 2) && !drop {
							counts = append(counts, batch.Columns[2].I64[at])
						}
					}
				}
				want.events = fmt.Sprint(counts)
			}
			if d != want {
				rt.Fatalf("delivery is %v, not %v", d, want)
			}
		}
	})
}

func TestTailErrors(t *testing.T) {
	ctx := t.Context()
	f := newFixture(t)
	for range 3 {
		f.append(t, logged{at: f.clock.Add(time.Second), rows: []row{{"a", 1}}, segments: []stream.Segment{{Rows: 1}}})
	}
	if _, err := f.log.Append(ctx, 0, []byte("no entry")); err != nil {
		t.Fatal(err)
	}
	t.Run("options", func(t *testing.T) {
		for name, spoil := range map[string]func(*stream.TailOptions){
			"no log":           func(o *stream.TailOptions) { o.Log = nil },
			"no schema":        func(o *stream.TailOptions) { o.Schema = nil },
			"partition":        func(o *stream.TailOptions) { o.Partition = 1 },
			"epoch":            func(o *stream.TailOptions) { o.EpochLength = 0 },
			"column":           func(o *stream.TailOptions) { o.DedupeKey = []int{3} },
			"window":           func(o *stream.TailOptions) { o.DedupeWindow = -1 },
			"beyond the head":  func(o *stream.TailOptions) { o.After = 9 },
			"warm-up corrupts": func(o *stream.TailOptions) { o.After, o.ArrivalFrom = 4, f.clock.UnixNano() },
		} {
			o := f.options()
			spoil(&o)
			if _, err := stream.OpenTail(ctx, o); err == nil {
				t.Errorf("%s: opens", name)
			}
		}
	})
	t.Run("corrupt entry", func(t *testing.T) {
		o := f.options()
		o.After, o.ArrivalFrom = 3, f.clock.UnixNano()
		tail, err := stream.OpenTail(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		defer tail.Close()
		for range 2 {
			if _, err := tail.Next(ctx); !errors.Is(err, stream.ErrCorrupt) {
				t.Fatalf("gave %v, want ErrCorrupt", err)
			}
		}
	})
	t.Run("trimmed", func(t *testing.T) {
		tail, err := stream.OpenTail(ctx, f.options())
		if err != nil {
			t.Fatal(err)
		}
		defer tail.Close()
		if err := f.log.Trim(ctx, 0, 3); err != nil {
			t.Fatal(err)
		}
		var trimmed *stream.TrimmedError
		for range 2 {
			if _, err := tail.Next(ctx); !errors.As(err, &trimmed) || trimmed.First != 3 {
				t.Fatalf("gave %v, want trimmed", err)
			}
		}
	})
	t.Run("ended context", func(t *testing.T) {
		o := f.options()
		o.After = 2
		tail, err := stream.OpenTail(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		defer tail.Close()
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := tail.Next(ended); !errors.Is(err, context.Canceled) {
			t.Fatalf("gave %v, want canceled", err)
		}
		if d, err := tail.Next(ctx); err != nil || d.Seq != 3 {
			t.Fatalf("then gave entry %d, %v; want 3", d.Seq, err)
		}
	})
}

// TestCacheShares: side by side, tails get one and the same batch.
func TestCacheShares(t *testing.T) {
	f := newFixture(t)
	const entries, tails = 50, 8
	for range entries {
		f.append(t, logged{at: f.clock, rows: []row{{"a", 1}}, segments: []stream.Segment{{Rows: 1}}})
	}
	o := f.options()
	o.Cache = stream.NewCache(entries)
	got := make(chan []*event.Batch)
	for range tails {
		go func() {
			var batches []*event.Batch
			defer func() { got <- batches }()
			tail, err := stream.OpenTail(t.Context(), o)
			if err != nil {
				t.Error(err)
				return
			}
			defer tail.Close()
			for range entries {
				d, err := tail.Next(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				batches = append(batches, d.Batch)
			}
		}()
	}
	first := <-got
	for range tails - 1 {
		for i, b := range <-got {
			if b != first[i] {
				t.Fatalf("entry %d was decoded twice", i+1)
			}
		}
	}
}

func BenchmarkTail(b *testing.B) {
	for _, dedupe := range []bool{false, true} {
		b.Run(fmt.Sprintf("dedupe=%t", dedupe), func(b *testing.B) {
			const rows = 10_000
			f := newFixture(b)
			e := logged{at: f.clock, segments: []stream.Segment{{Rows: rows}}}
			for i := range rows {
				e.rows = append(e.rows, row{fmt.Sprintf("event-%d", i), 1})
			}
			f.append(b, e)
			o := f.options()
			if dedupe {
				o.DedupeKey, o.DedupeWindow = []int{0}, time.Minute
			}
			b.ReportAllocs()
			for b.Loop() {
				tail, err := stream.OpenTail(b.Context(), o)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := tail.Next(b.Context()); err != nil {
					b.Fatal(err)
				}
				tail.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/event")
		})
	}
}
