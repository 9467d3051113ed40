package merge

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/speed/redisview"
)

// simpleView counts by country and minute.
const simpleView = "CREATE VIEW v AS SELECT country, count() AS hits FROM s GROUP BY country, tumble(ts, INTERVAL 1 MINUTE)"

// events returns n events of one country at a time in seconds.
func events(schema *event.Schema, country string, second int64, n int) *event.Batch {
	b := event.NewBatch(schema)
	for range n {
		for i := range b.Columns {
			switch schema.Columns[i].Name {
			case "ts":
				b.Columns[i].AppendInt64(second * 1000)
			case "country":
				b.Columns[i].AppendString([]byte(country))
			default:
				b.Columns[i].AppendZero(schema.Columns[i].Type.Nullable)
			}
		}
		b.Rows++
	}
	return b
}

// threeEpochs is a world with 1, 2 and 4 events in three epochs of each partition, the
// first of them published.
func threeEpochs(t *testing.T) *world {
	t.Helper()
	w := newWorld(newParts(t), t, simpleView)
	for i := range 3 {
		for p := range partitions {
			w.append(p, firstEpoch+event.Epoch(i), events(w.view.Plan.Stream.Schema, "DE", 0, 1<<i))
		}
	}
	w.publish(firstEpoch)
	return w
}

func hits(t *testing.T, r *Result) int64 {
	t.Helper()
	total := int64(0)
	for _, n := range r.Batch.Columns[r.Batch.Schema.Index("hits")].U64 {
		total += int64(n)
	}
	return total
}

func TestPublicationMovesOnInTheMiddle(t *testing.T) {
	w := threeEpochs(t)
	for p := range partitions {
		w.flush(p, w.begin(p, firstEpoch), firstEpoch+2)
	}
	// Between the reading of the manifest and that of Redis, the next cut is published
	// and the epochs under it are deleted.
	w.merger.publications = &movingPublications{Publications: w.publications, move: func() {
		w.publish(firstEpoch + 1)
		for p := range partitions {
			if err := w.redis.DeleteThrough(context.Background(), w.view.ID, p, firstEpoch+1); err != nil {
				t.Fatal(err)
			}
		}
	}}
	r := w.run(all())
	if hits(t, r) != 14 || r.Provenance.Generation != 2 || !r.Provenance.Complete {
		t.Errorf("%d hits of generation %d, want 14 of 2: %+v", hits(t, r), r.Provenance.Generation, r.Provenance)
	}
}

// watchedSpeed calls back before each reading.
type watchedSpeed struct {
	Speed
	readings atomic.Int64
	before   func(n int64)
}

func (s *watchedSpeed) Snapshot(ctx context.Context, view string, partition int, cut event.Epoch, held func(event.Epoch) bool) (redisview.Snapshot, error) {
	if partition == 0 {
		s.before(s.readings.Add(1))
	}
	return s.Speed.Snapshot(ctx, view, partition, cut, held)
}

func TestLostStateIsWaitedFor(t *testing.T) {
	w := threeEpochs(t)
	rebuild := func(n int64) {
		if n == 3 {
			for p := range partitions {
				w.flush(p, w.begin(p, firstEpoch), firstEpoch+2)
			}
		}
	}
	speed := &watchedSpeed{Speed: w.redis, before: rebuild}
	w.merger.speed = speed
	if r := w.run(all()); hits(t, r) != 14 || !r.Provenance.Complete {
		t.Errorf("%d hits without state at first, want 14: %+v", hits(t, r), r.Provenance)
	}

	// While the state is built again there is a position, but an older one than that of
	// the last answer.
	for p := range partitions {
		w.flush(p, w.begin(p, firstEpoch), firstEpoch+1)
	}
	speed.readings.Store(0)
	if r := w.run(all()); hits(t, r) != 14 {
		t.Errorf("the answer stepped back to %d hits, want 14", hits(t, r))
	}
	if n := speed.readings.Load(); n < 3 {
		t.Errorf("answered after %d readings, before the state was back", n)
	}
}

func TestWait(t *testing.T) {
	w := threeEpochs(t)
	at := map[int]redisview.Checkpoint{}
	for p := range partitions {
		at[p] = w.flush(p, w.begin(p, firstEpoch), firstEpoch+1)
	}
	speed := &watchedSpeed{Speed: w.redis, before: func(int64) {}}
	w.merger.speed = speed

	r := w.run(all())
	if hits(t, r) != 6 || r.Provenance.Complete || speed.readings.Load() != 1 {
		t.Errorf("without wait: %d hits after %d readings, want 6 after one, incomplete", hits(t, r), speed.readings.Load())
	}
	for _, part := range r.Provenance.Partitions {
		if part.Position != 2 || part.Head != 3 || part.LagMillis <= 0 {
			t.Errorf("partition is %+v, want entry 2 of 3 and a lag", part)
		}
	}
	if r.Provenance.LagMillis <= 0 {
		t.Errorf("lag is %d ms, want more than 0", r.Provenance.LagMillis)
	}

	speed.readings.Store(0)
	speed.before = func(n int64) {
		if n == 4 {
			for p := range partitions {
				w.flush(p, at[p], firstEpoch+2)
			}
		}
	}
	q := all()
	q.Wait = time.Minute
	if r := w.run(q); hits(t, r) != 14 || !r.Provenance.Complete {
		t.Errorf("with wait: %d hits, want 14: %+v", hits(t, r), r.Provenance)
	}

	// Events that came after the query are no reason to wait.
	w.append(0, firstEpoch+3, events(w.view.Plan.Stream.Schema, "DE", 0, 1))
	q.Wait = 0
	if r := w.run(q); r.Provenance.Complete || r.Provenance.Partitions[0].Head != 4 || r.Provenance.Partitions[1].LagMillis != 0 {
		t.Errorf("provenance is %+v, want partition 0 behind its head 4", r.Provenance)
	}
	ctx, cancel := context.WithCancel(t.Context())
	speed.readings.Store(0)
	speed.before = func(n int64) {
		if n == 2 {
			cancel()
		}
	}
	q.View, q.Wait = w.view, time.Minute
	if _, err := w.merger.Run(ctx, q); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while waiting: %v", err)
	}
}

func TestUnpublishedViewIsBackfilling(t *testing.T) {
	w := newWorld(newParts(t), t, simpleView)
	q := all()
	q.View = w.view
	_, err := w.merger.Run(t.Context(), q)
	var p *problem.Problem
	if !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable || p.RetryAfter == 0 {
		t.Errorf("error is %v, want 503 with Retry-After", err)
	}
}

// TestSealedEpochsAreReadOnce: an epoch that cannot change is kept, and is part of the
// answer only where the speed layer still has it.
func TestSealedEpochsAreReadOnce(t *testing.T) {
	w := threeEpochs(t)
	for p := range partitions {
		w.flush(p, w.begin(p, firstEpoch), firstEpoch+2)
	}
	w.run(all())
	kept := w.merger.sealed.epochs(w.view.ID, 0)
	if len(kept) != 1 || kept[firstEpoch+1].Partials == nil {
		t.Fatalf("%d epochs are kept, want the sealed one after the cut: %v", len(kept), kept)
	}
	if r := w.run(all()); hits(t, r) != 14 {
		t.Errorf("%d hits with kept epochs, want 14", hits(t, r))
	}
	w.publish(firstEpoch + 2)
	if r := w.run(all()); hits(t, r) != 14 {
		t.Errorf("%d hits with kept epochs under the cut, want 14", hits(t, r))
	}
}

func TestDamagedPartialsAreRefused(t *testing.T) {
	w := threeEpochs(t)
	at := w.begin(0, firstEpoch)
	w.begin(1, firstEpoch)
	next := at
	next.Epoch, next.Seq = firstEpoch+1, 2
	for _, damaged := range []redisview.Partial{{Key: []byte("x"), States: []byte{1}}, {Key: make([]byte, 9), States: []byte{0x80}}} {
		if err := w.redis.Flush(t.Context(), w.view.ID, 0, at, next, []redisview.Partial{damaged}); err != nil {
			t.Fatal(err)
		}
		q := all()
		q.View = w.view
		if _, err := w.merger.Run(t.Context(), q); err == nil || !strings.Contains(err.Error(), "merge speed partials of v") {
			t.Errorf("a damaged partial gives %v", err)
		}
		at = w.begin(0, firstEpoch)
	}
}

func TestOldEventsAreNotPartOfAViewWithTTL(t *testing.T) {
	w := newWorld(newParts(t), t, strings.Replace(simpleView, "MINUTE)", "MINUTE) WITH (ttl = '2d')", 1))
	now := time.Now().Unix()
	day := event.FloorDiv(now, secondsPerDay) * secondsPerDay
	for i, second := range []int64{now, day - 2*secondsPerDay, day - 2*secondsPerDay - 1, 0} {
		w.append(0, firstEpoch, events(w.view.Plan.Stream.Schema, "DE", second, 1<<i))
		w.append(1, firstEpoch+1, events(w.view.Plan.Stream.Schema, "DE", second, 16<<i))
	}
	w.publish(firstEpoch)
	for p := range partitions {
		w.flush(p, w.begin(p, firstEpoch), firstEpoch+1)
	}
	// The day in which the ttl ends is whole.
	if r := w.run(all()); hits(t, r) != 3+48 || r.Provenance.From == nil {
		t.Errorf("%d hits, want those of the last two days and the day before: %+v", hits(t, r), r.Provenance)
	}
}

func TestWindowOfNothingIsOneRow(t *testing.T) {
	for _, c := range []struct {
		name, view string
		query      Query
		rows       int
	}{
		{"a total", "CREATE VIEW v AS SELECT count() AS hits FROM s", all(), 1},
		{"a total over windows", "CREATE VIEW v AS SELECT count() AS hits FROM s GROUP BY tumble(ts, INTERVAL 1 DAY)", Query{From: MinTime, To: MaxTime}, 1},
		{"windows", "CREATE VIEW v AS SELECT count() AS hits FROM s GROUP BY tumble(ts, INTERVAL 1 DAY)", all(), 0},
		{"groups", simpleView, Query{From: MinTime, To: MaxTime}, 0},
		{"by nothing", simpleView, Query{From: MinTime, To: MaxTime, By: []string{}}, 1},
		{"steps", simpleView, Query{From: MinTime, To: MaxTime, By: []string{}, Bucketing: ByStep, Step: plan.Window{N: 1, Unit: plan.Day}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(newParts(t), t, c.view)
			w.publish(event.NoEpoch)
			for p := range partitions {
				w.begin(p, event.NoEpoch)
			}
			r := w.run(c.query)
			if r.Batch.Rows != c.rows || hits(t, r) != 0 {
				t.Errorf("%d rows with %d hits, want %d with none", r.Batch.Rows, hits(t, r), c.rows)
			}
			if r.Provenance.Cut != nil || !r.Provenance.Complete {
				t.Errorf("provenance is %+v, want no cut", r.Provenance)
			}
		})
	}
}
