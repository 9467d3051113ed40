package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/speed/redisview"
)

// compare reads a view and compares it with the log at the position that it finds. It
// returns that position.
func (r *rig) compare(id string, cut event.Epoch) uint64 {
	r.tb.Helper()
	snap, got := r.snapshot(id, cut)
	if !snap.Found {
		return 0
	}
	if want := r.expect(id, cut, snap.Checkpoint.Seq); !maps.Equal(got, want) {
		r.tb.Fatalf("%s after cut %d at %+v: %d groups instead of %d", id, cut, snap.Checkpoint, len(got), len(want))
	}
	return snap.Checkpoint.Seq
}

// reach waits until a view's state in Redis has come to seq, and compares all the way.
func (r *rig) reach(id string, cut event.Epoch, seq uint64) {
	r.tb.Helper()
	await(r.tb, "the view has caught up", func() bool { return r.compare(id, cut) >= seq })
}

func onEach(t *testing.T, f func(t *testing.T, r *rig)) {
	for name, inProcess := range map[string]bool{"redis-server": false, "miniredis": true} {
		t.Run(name, func(t *testing.T) { f(t, newRig(t, inProcess)) })
	}
}

func TestViewsFollowTheLog(t *testing.T) {
	onEach(t, func(t *testing.T, r *rig) {
		rng := rand.New(rand.NewPCG(1, 2))
		r.append(rng, 30) // there before the views
		w := r.start("pages.1", "big.2")
		var head uint64
		for range 40 {
			head = r.append(rng, rng.IntN(50))
			r.clock.advance(time.Duration(rng.IntN(500)) * time.Millisecond)
		}
		for _, id := range []string{"pages.1", "big.2"} {
			r.reach(id, event.NoEpoch, head)
		}
		await(t, "the status says so", func() bool {
			s := w.Status()
			return len(s) == 2 && s[0].View == "big.2" && s[0].State == Running && s[0].Seq == head && s[0].Lag == 0 && s[1].Rows > 0
		})
		w.stop(t)
		w = r.start("pages.1", "big.2") // goes on where it was
		head = r.append(rng, 50)
		for _, id := range []string{"pages.1", "big.2"} {
			r.reach(id, event.NoEpoch, head)
		}
		w.stop(t)
	})
}

func TestNothingUnderTheCutIsStored(t *testing.T) {
	r := newRig(t, true)
	rng := rand.New(rand.NewPCG(3, 4))
	var first uint64
	for i := range 5 {
		seq := r.append(rng, 10)
		if i == 0 {
			first = seq
		}
		r.clock.advance(testEpoch)
	}
	// The position is that of an earlier entry than the cut's last, as with a compacted
	// seal: the worker has to pass over the rest itself.
	cut := event.EpochOf(r.clock.read().UnixNano(), testEpoch) - 3
	r.cut = Cut{Epoch: cut, Seq: first, Arrival: r.clock.read().Add(-5 * testEpoch).UnixNano()}
	w := r.start("pages.1")
	defer w.stop(t)
	r.reach("pages.1", cut, 5)
	snap, _ := r.snapshot("pages.1", cut)
	if len(snap.Epochs) != 2 || snap.Epochs[0].Epoch != cut+1 {
		t.Errorf("epochs %+v after cut %d", snap.Epochs, cut)
	}
	if p, err := r.reads.LoadEpoch(t.Context(), "pages.1", 0, cut); err != nil || len(p) != 0 {
		t.Errorf("%d partials of the cut itself, %v", len(p), err)
	}
}

func TestStateBehindTheCutJumps(t *testing.T) {
	r := newRig(t, true)
	rng := rand.New(rand.NewPCG(5, 6))
	w := r.start("pages.1")
	r.reach("pages.1", event.NoEpoch, r.append(rng, 10))
	w.stop(t)
	r.clock.advance(testEpoch)
	seq := r.append(rng, 10)
	cut := event.EpochOf(r.clock.read().UnixNano(), testEpoch)
	r.cut = Cut{Epoch: cut, Seq: seq, Arrival: r.clock.read().UnixNano()}
	r.clock.advance(testEpoch)
	head := r.append(rng, 10)
	w = r.start("pages.1")
	defer w.stop(t)
	r.reach("pages.1", cut, head)
	if _, err := r.reads.Snapshot(t.Context(), "pages.1", 0, cut-1, nil); !errors.Is(err, redisview.ErrStaleCut) {
		t.Errorf("a reader of the old cut got %v", err)
	}
}

func TestFlushAllIsRepaired(t *testing.T) {
	onEach(t, func(t *testing.T, r *rig) {
		rng := rand.New(rand.NewPCG(7, 8))
		w := r.start("pages.1", "big.2")
		defer w.stop(t)
		head := uint64(0)
		for range 3 {
			for range 5 {
				head = r.append(rng, 20)
				r.clock.advance(400 * time.Millisecond)
			}
			r.reach("pages.1", event.NoEpoch, head)
			if err := r.reads.Client().FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{"pages.1", "big.2"} { // without a new event
				r.reach(id, event.NoEpoch, head)
			}
		}
	})
}

func TestUnreadableStateIsBuiltAgain(t *testing.T) {
	r := newRig(t, true)
	rng := rand.New(rand.NewPCG(9, 10))
	w := r.start("pages.1")
	head := r.append(rng, 10)
	r.reach("pages.1", event.NoEpoch, head)
	w.stop(t)
	snap, _ := r.snapshot("pages.1", event.NoEpoch)
	next := snap.Checkpoint
	next.Seq++ // written by something else altogether
	bad := []redisview.Partial{{Key: []byte("no key"), States: []byte("no state")}}
	if err := r.reads.Flush(t.Context(), "pages.1", 0, snap.Checkpoint, next, bad); err != nil {
		t.Fatal(err)
	}
	head = r.append(rng, 10)
	w = r.start("pages.1")
	defer w.stop(t)
	r.reach("pages.1", event.NoEpoch, head)
}

func TestStateOfAnotherLogIsDropped(t *testing.T) {
	r := newRig(t, true)
	at := redisview.Checkpoint{Fence: 0, Seq: 1000, Epoch: 5}
	if err := r.reads.Begin(t.Context(), "pages.1", 0, at); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	head := r.append(rng, 10)
	w := r.start("pages.1")
	defer w.stop(t)
	await(t, "the view begins anew", func() bool {
		snap, err := r.reads.Snapshot(t.Context(), "pages.1", 0, event.NoEpoch, nil)
		return err == nil && snap.Checkpoint.Seq == head
	})
	r.compare("pages.1", event.NoEpoch)
}

func TestNewerWriterStopsTheOlder(t *testing.T) {
	onEach(t, func(t *testing.T, r *rig) {
		rng := rand.New(rand.NewPCG(11, 12))
		old := r.start("pages.1")
		r.reach("pages.1", event.NoEpoch, r.append(rng, 10))
		w := r.start("pages.1")
		defer w.stop(t)
		head := r.append(rng, 10)
		if err := <-old.done; !errors.Is(err, redisview.ErrFenced) {
			t.Errorf("the older worker ended with %v", err)
		}
		if err := old.AddView(t.Context(), "big.2", r.views["big.2"]); !errors.Is(err, ErrStopped) {
			t.Errorf("a stopped worker takes views: %v", err)
		}
		r.reach("pages.1", event.NoEpoch, head)
	})
}

func TestRedisDown(t *testing.T) {
	r := newRig(t, true)
	rng := rand.New(rand.NewPCG(13, 14))
	w := r.start("pages.1")
	defer w.stop(t)
	r.reach("pages.1", event.NoEpoch, r.append(rng, 10))
	r.faults.down.Store(true)
	var head uint64
	for range 20 {
		head = r.append(rng, 10)
		r.clock.advance(300 * time.Millisecond)
	}
	await(t, "the status tells", func() bool {
		s := w.Status()[0]
		return strings.Contains(s.Error, errInjected.Error()) && s.Lag > 0
	})
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() { failed <- w.AddView(ctx, "big.2", r.views["big.2"]) }()
	await(t, "the other view is there", func() bool { return len(w.Status()) == 2 })
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("AddView: %v", err)
	}
	r.faults.down.Store(false)
	for _, id := range []string{"pages.1", "big.2"} {
		r.reach(id, event.NoEpoch, head)
	}
}

func TestAddAndRemoveViews(t *testing.T) {
	r := newRig(t, true)
	registry := prometheus.NewRegistry()
	o := r.options()
	o.Metrics = NewMetrics(registry)
	w := New(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	defer func() { cancel(); <-done }()

	rng := rand.New(rand.NewPCG(15, 16))
	pages, big := r.views["pages.1"], r.views["big.2"]
	if err := w.AddView(ctx, "pages.1", pages); err != nil {
		t.Fatal(err)
	}
	if err := w.AddView(ctx, "pages.1", pages); !errors.Is(err, ErrExists) {
		t.Errorf("added twice: %v", err)
	}
	if err := w.RemoveView(ctx, "big.2"); !errors.Is(err, ErrUnknown) {
		t.Errorf("removed before it was added: %v", err)
	}
	r.reach("pages.1", event.NoEpoch, r.append(rng, 10))
	if err := w.AddView(ctx, "big.2", big); err != nil {
		t.Fatal(err)
	}
	head := r.append(rng, 10)
	r.reach("big.2", event.NoEpoch, head) // from the first entry on
	r.reach("pages.1", event.NoEpoch, head)
	if n := rowsCounted(t, registry, "pages.1"); n != 20 {
		t.Errorf("%v rows counted", n)
	}
	for i := range 3 {
		if err := w.RemoveView(ctx, "pages.1"); err != nil {
			t.Fatal(err)
		}
		before, _ := r.snapshot("pages.1", event.NoEpoch)
		r.reach("big.2", event.NoEpoch, r.append(rng, 10))
		after, _ := r.snapshot("pages.1", event.NoEpoch)
		if before.Checkpoint != after.Checkpoint {
			t.Error("a removed view moved on")
		}
		if i == 2 {
			break
		}
		if err := w.AddView(ctx, "pages.1", pages); err != nil {
			t.Fatal(err)
		}
		r.reach("pages.1", event.NoEpoch, head+uint64(i)+1)
	}
	if s := w.Status(); len(s) != 1 {
		t.Errorf("status: %+v", s)
	}
}

// rowsCounted returns a view's millrace_speed_rows_total.
func rowsCounted(t *testing.T, registry *prometheus.Registry, view string) float64 {
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "millrace_speed_rows_total" && m.GetLabel()[0].GetValue() == view {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func TestFailingViewStallsAlone(t *testing.T) {
	r := newRig(t, true)
	// The text that its key would make of 2000 rows is over plan.MaxStringBytes.
	huge := fmt.Sprintf("CREATE VIEW huge AS SELECT concat(page, '%s') AS k, count() AS hits FROM clicks GROUP BY k",
		strings.Repeat("x", plan.MaxStringBytes/1500))
	var err error
	if r.views["huge.3"], err = plan.BuildView(statement[*sql.CreateView](t, huge), r.stream); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(23, 24))
	w := r.start("pages.1", "huge.3")
	defer w.stop(t)
	r.reach("pages.1", event.NoEpoch, r.append(rng, 2000))
	await(t, "the status tells", func() bool {
		s := w.Status()[0]
		return s.View == "huge.3" && s.State == Stalled && s.Error != "" && s.Seq == 0
	})
	r.reach("pages.1", event.NoEpoch, r.append(rng, 2000))
	if err := w.RemoveView(t.Context(), "huge.3"); err != nil {
		t.Fatal(err)
	}
}

func TestTrimmedLogWaitsForACut(t *testing.T) {
	r := newRig(t, true)
	rng := rand.New(rand.NewPCG(17, 18))
	for range 10 {
		r.append(rng, 5)
	}
	cutEpoch := event.EpochOf(r.clock.read().UnixNano(), testEpoch)
	arrival := r.clock.read().UnixNano()
	r.clock.advance(testEpoch)
	head := r.append(rng, 5)
	if err := r.log.Trim(t.Context(), 0, 8); err != nil {
		t.Fatal(err)
	}
	w := r.start("pages.1")
	defer w.stop(t)
	await(t, "the status tells", func() bool { return strings.Contains(w.Status()[0].Error, "trimmed") })
	r.mu.Lock()
	r.cut = Cut{Epoch: cutEpoch, Seq: 10, Arrival: arrival}
	r.mu.Unlock()
	await(t, "the view has caught up", func() bool {
		s := w.Status()[0]
		return s.State == Running && s.Seq == head
	})
	_, got := r.snapshot("pages.1", cutEpoch)
	if len(got) == 0 {
		t.Error("nothing was aggregated")
	}
}

// TestRandomTroubles runs workers over a growing log through lost connections, lost
// state, kills and publications, and compares at every turn.
func TestRandomTroubles(t *testing.T) {
	onEach(t, func(t *testing.T, r *rig) {
		rng := rand.New(rand.NewPCG(19, uint64(time.Now().UnixNano())))
		ids := []string{"pages.1", "big.2"}
		r.faults.every.Store(7)
		w := r.start(ids...)
		cut := event.NoEpoch
		var head uint64
		compared := 0
		for range 150 {
			head = r.append(rng, rng.IntN(30))
			r.clock.advance(time.Duration(rng.IntN(600)) * time.Millisecond)
			switch rng.IntN(12) {
			case 0:
				if err := r.reads.Client().FlushAll(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
			case 1: // killed: the newer one is there before the older knows
				old := w
				w = r.start(ids...)
				old.cancel()
				<-old.done
			case 2: // a batch run covers all but the newest epochs
				cut = r.publish(t, ids)
			}
			for _, id := range ids {
				if snap, err := r.reads.Snapshot(t.Context(), id, 0, cut, nil); err == nil && snap.Found {
					r.compare(id, cut)
					compared++
				}
			}
		}
		for _, id := range ids {
			r.reach(id, cut, head)
		}
		t.Logf("%d readings compared", compared)
		w.stop(t)
	})
}

// publish makes a cut of the epochs before the newest, and deletes what it covers.
func (r *rig) publish(t *testing.T, ids []string) event.Epoch {
	now := r.clock.read()
	cut := event.EpochOf(now.UnixNano(), testEpoch) - 1
	seq, err := r.log.SeqAt(t.Context(), 0, (cut + 1).Start(testEpoch))
	if err != nil {
		t.Fatal(err)
	}
	c := Cut{Epoch: cut, Seq: seq - 1}
	if c.Seq > 0 {
		c.Arrival = cut.Start(testEpoch).UnixNano()
	}
	r.mu.Lock()
	r.cut = c
	r.mu.Unlock()
	for _, id := range ids {
		if err := r.reads.DeleteThrough(t.Context(), id, 0, cut); err != nil {
			t.Fatal(err)
		}
	}
	return cut
}

func TestCountEvents(t *testing.T) {
	r := newRig(t, true)
	rng := rand.New(rand.NewPCG(21, 22))
	w := r.start("pages.1")
	first := event.EpochOf(r.clock.read().UnixNano(), testEpoch)
	var head uint64
	for range 4 { // 10 rows in each of 4 epochs
		head = r.append(rng, 10)
		r.clock.advance(testEpoch)
	}
	r.reach("pages.1", event.NoEpoch, head)
	w.stop(t)
	v := r.views["pages.1"]
	for name, c := range map[string]struct {
		from, to   event.Epoch
		events     int64
		comparable bool
	}{
		"all sealed": {event.NoEpoch, first + 2, 30, true},
		"some":       {first, first + 2, 20, true},
		"unsealed":   {first, first + 3, 0, false},
	} {
		n, ok, err := CountEvents(t.Context(), r.reads, "pages.1", v, c.from, c.to)
		if err != nil || n != c.events || ok != c.comparable {
			t.Errorf("%s: %d, %v, %v", name, n, ok, err)
		}
	}
	if _, ok, err := CountEvents(t.Context(), r.reads, "nothing.9", v, first, first); ok || err != nil {
		t.Errorf("without state: %v, %v", ok, err)
	}
}
