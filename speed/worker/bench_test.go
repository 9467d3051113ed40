package worker

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/internal/event"
)

// applied returns a running view and a delivery of n rows, of which the view has applied
// one already.
func applied(tb testing.TB, n int) (*view, *stream.Delivery) {
	tb.Helper()
	_, views := buildViews(tb)
	p := views["pages.1"]
	v := &view{
		id: "pages.1", plan: p, pipeline: p.NewPipeline(), table: p.NewTable(), state: Running,
		metrics: NewMetrics(nil).of("pages.1", 0), groupBytes: initialGroupBytes, base: event.NoEpoch,
	}
	d := &stream.Delivery{Seq: 1, Arrival: 1, Epoch: 1, Batch: randomBatch(p.Stream.Schema, rand.New(rand.NewPCG(1, 2)), n)}
	if err := v.apply(d); err != nil {
		tb.Fatal(err)
	}
	v.stage()
	return v, d
}

// TestApplyDoesNotAllocate holds for what the worker does between log and Redis, once the
// groups of the epoch are known.
func TestApplyDoesNotAllocate(t *testing.T) {
	v, d := applied(t, 5000)
	allocs := testing.AllocsPerRun(20, func() {
		d.Seq++
		if err := v.apply(d); err != nil {
			t.Fatal(err)
		}
		v.stage()
	})
	if allocs > 0 {
		t.Errorf("%v allocations for an entry of %d rows", allocs, d.Batch.Rows)
	}
}

// BenchmarkApply is the aggregation of one entry of 10,000 rows by one view.
func BenchmarkApply(b *testing.B) {
	v, d := applied(b, 10_000)
	b.SetBytes(int64(d.Batch.SizeBytes()))
	b.ReportAllocs()
	for b.Loop() {
		d.Seq++
		if err := v.apply(d); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(d.Batch.Rows)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkWorker is the way from a log in memory to Redis, for two views.
func BenchmarkWorker(b *testing.B) {
	r := newRig(b, false)
	r.every = DefaultFlushEvery
	rng := rand.New(rand.NewPCG(1, 2))
	batch := randomBatch(r.stream.Schema, rng, 10_000)
	payload, err := stream.EncodeEntry(nil, batch, []stream.Segment{{Rows: batch.Rows}})
	if err != nil {
		b.Fatal(err)
	}
	w := r.start("pages.1", "big.2")
	b.SetBytes(int64(batch.SizeBytes()))
	b.ReportAllocs()
	b.ResetTimer()
	var head uint64
	for range b.N { // not b.Loop, whose clock stops before the last entry is in Redis
		if head, err = r.log.Append(context.Background(), 0, payload); err != nil {
			b.Fatal(err)
		}
	}
	await(b, "both views are fresh", func() bool {
		for id := range r.views {
			c, ok, err := r.reads.Load(context.Background(), id, 0)
			if err != nil || !ok || c.Seq < head {
				return false
			}
		}
		return true
	})
	b.ReportMetric(float64(batch.Rows)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	w.stop(b)
}
