package recompute

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/lake/seal"
)

func TestRunsAddUp(t *testing.T) {
	l := newLake(t, 0, time.Hour)
	l.seal(50, l.days...)
	m := l.run(false)
	l.check(m, nil)
	if m.Generation != 1 || m.Cut != firstEpoch || len(m.Days) != len(l.days) {
		t.Errorf("first: %+v", m)
	}
	if m.Positions[1].Seq != l.seq || m.Positions[1].Arrival != int64(firstEpoch)*int64(testEpoch) {
		t.Errorf("positions: %+v", m.Positions)
	}
	if again := l.run(false); again.Generation != 1 {
		t.Errorf("nothing new gave generation %d", again.Generation)
	}

	l.seal(30, 19_001) // only this day is recomputed
	l.seal(0)
	m = l.run(false)
	l.check(m, nil)
	if m.Generation != 2 || m.Cut != firstEpoch+2 || m.Days[19_001].Generation != 2 || m.Days[19_000].Generation != 1 {
		t.Errorf("second: %+v", m)
	}

	days := maps.Clone(m.Days)
	l.seal(0) // a tick moves the cut and nothing else
	m = l.run(false)
	l.check(m, nil)
	if m.Generation != 3 || m.Cut != firstEpoch+3 || !maps.Equal(m.Days, days) {
		t.Errorf("tick: %+v", m)
	}

	m = l.run(true)
	l.check(m, nil)
	for d, day := range m.Days {
		if day.Generation != 4 || day.Checksum != days[d].Checksum {
			t.Errorf("rebuilt day %d: %+v, was %+v", d, day, days[d])
		}
	}
}

func TestUnsealedEpochsAreLeftOut(t *testing.T) {
	l := newLake(t, 0, time.Hour)
	l.seal(20, l.days...)
	want := len(l.groups)
	before := l.copyGroups()
	l.sealPartition(0, 20, l.epoch, l.days) // the other partition has not sealed it
	l.groups = before
	m := l.run(false)
	if m.Cut != firstEpoch || want != len(l.groups) {
		t.Errorf("cut %d", m.Cut)
	}
}

func TestVerifyRepairs(t *testing.T) {
	for name, damage := range map[string]string{
		"a dropped table":     "DROP TABLE %s",
		"an emptied table":    "TRUNCATE TABLE %s",
		"a lost partition":    "ALTER TABLE %s DROP PARTITION ID '19000-1'",
		"a doubled partition": "INSERT INTO %[1]s SELECT * REPLACE (toNullable(concat(page, 'x')) AS page) FROM %[1]s WHERE _day = toDate32(19001)",
		"other counts":        "ALTER TABLE %s UPDATE _rows = arrayReduce('countState', range(99)) WHERE _day = toDate32(19002) SETTINGS mutations_sync = 2",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLake(t, 0, time.Hour)
			l.seal(50, l.days...)
			l.run(false)
			l.seal(30, 19_002)
			m := l.run(false)
			if err := l.engine.Exec(t.Context(), fmt.Sprintf(damage, l.table())); err != nil {
				t.Fatal(err)
			}
			l.sealPartition(0, 0, l.epoch, nil) // newer than the cut, so that repairing must mind it
			if err := l.runner.Verify(t.Context(), l.view, l.index); err != nil {
				t.Fatal(err)
			}
			l.check(m, nil)
		})
	}
}

func TestRunRepairsALostTable(t *testing.T) {
	l := newLake(t, 0, time.Hour)
	l.seal(50, l.days...)
	l.run(false)
	if err := l.engine.Exec(t.Context(), "DROP TABLE "+l.table()); err != nil {
		t.Fatal(err)
	}
	l.seal(30, 19_002)
	l.check(l.run(false), nil)
}

func TestVerifyCannotRepairALostLake(t *testing.T) {
	l := newLake(t, 0, time.Hour)
	l.seal(50, l.days...)
	m := l.run(false)
	if err := l.engine.Exec(t.Context(), "TRUNCATE TABLE "+l.table()); err != nil {
		t.Fatal(err)
	}
	empty, err := seal.Load(t.Context(), l.store, "nothing.9", testPartitions)
	if err != nil {
		t.Fatal(err)
	}
	err = l.runner.Verify(t.Context(), l.view, empty)
	if err == nil || !strings.Contains(err.Error(), "millrace rebuild hits") {
		t.Errorf("verify said %v", err)
	}
	if now, _ := l.runner.o.Publications.Current(t.Context(), l.view.ID); now != m {
		t.Error("the publication changed")
	}
}

// TestFailsAtEachStatement lets the engine die at the k-th statement of a run, for every
// k. The published generation stays whole, and the next run publishes.
func TestFailsAtEachStatement(t *testing.T) {
	l := newLake(t, 0, time.Hour)
	l.seal(50, l.days...)
	m := l.run(false)
	for k := 1; ; k++ {
		before := l.copyGroups()
		l.seal(20, 19_001, 19_002)
		l.engine.statements, l.engine.failAt = 0, k
		next, err := l.runner.Run(t.Context(), l.view, l.index, false)
		l.engine.failAt = 0
		if err == nil {
			l.check(next, nil)
			if k < 5 {
				t.Errorf("a run is only %d statements", k-1)
			}
			return
		}
		if !errors.Is(err, errFault) {
			t.Fatal(err)
		}
		if published, _ := l.runner.o.Publications.Current(t.Context(), l.view.ID); published != m {
			t.Fatal("a failed run published")
		}
		// What was published is still what readers find, whatever the run left behind.
		after := l.groups
		l.groups = before
		if k == 1 {
			l.check(m, nil)
		}
		l.groups = after
		m = l.run(false)
		l.check(m, nil)
	}
}

func TestLeftoversOfACrash(t *testing.T) {
	l := newLake(t, 0, time.Hour)
	l.seal(50, l.days...)
	l.run(false)
	if err := l.engine.Exec(t.Context(), fmt.Sprintf("INSERT INTO %[1]s SELECT * REPLACE (toUInt64(2) AS _generation) FROM %[1]s", l.table())); err != nil {
		t.Fatal(err)
	}
	l.seal(10, 19_000)
	l.check(l.run(false), nil)
}

func TestCollect(t *testing.T) {
	l := newLake(t, 0, time.Hour)
	l.seal(50, l.days...)
	l.run(false)
	l.seal(20, 19_001)
	l.run(false)
	m := l.run(true)
	generations := func() map[uint64]bool {
		parts, err := l.runner.parts(t.Context(), l.view)
		if err != nil {
			t.Fatal(err)
		}
		set := map[uint64]bool{}
		for p := range parts {
			set[p.generation] = true
		}
		return set
	}
	if done, err := l.runner.Collect(t.Context(), l.view); done || err != nil {
		t.Errorf("within the grace: %v, %v", done, err)
	}
	if g := generations(); len(g) != 3 {
		t.Errorf("within the grace: %v", g)
	}
	s := l.runner.views[l.view.ID]
	later := m.Created.Add(time.Hour)
	if err := l.runner.collect(t.Context(), l.view, s, m, later); err != nil {
		t.Fatal(err)
	}
	if g := generations(); len(g) != 1 || !g[3] {
		t.Errorf("after the grace: %v", g)
	}
	l.check(m, nil)
	l.runner.o.Grace = 0
	if done, err := l.runner.Collect(t.Context(), l.view); !done || err != nil {
		t.Errorf("after the grace: %v, %v", done, err)
	}
}

func TestRowsMustBeWhatTheSealsSay(t *testing.T) {
	l := newLake(t, 0, time.Hour)
	l.seq++
	b := l.rows(10, l.days)
	f := l.write("lake/clicks.1/0-0-0.parquet", b, 0, 0)
	f.Rows++
	for p := range testPartitions {
		s := seal.Seal{
			Stream: "clicks.1", Partition: p, From: firstEpoch, To: firstEpoch, LastEpoch: firstEpoch,
			LastSeq: l.seq, Files: []seal.File{},
		}
		if p == 0 {
			s.Files, s.Rows = []seal.File{f}, f.Rows
			s.First, s.Last = event.Position{Seq: l.seq}, event.Position{Seq: l.seq, Row: uint32(f.Rows - 1)}
		}
		if err := l.index.Add(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	_, err := l.runner.Run(t.Context(), l.view, l.index, false)
	if err == nil || !strings.Contains(err.Error(), "hold 10 rows, their seals say 11") {
		t.Errorf("run said %v", err)
	}
}

func TestCompactionOverTheCutIsRefused(t *testing.T) {
	l := newLake(t, 0, time.Hour)
	for p := range testPartitions {
		to := firstEpoch + 3
		s := seal.Seal{Stream: "clicks.1", Partition: p, From: firstEpoch, To: to, LastEpoch: to, LastSeq: 9, Files: []seal.File{}}
		if p == 1 {
			s.To, s.LastEpoch = firstEpoch+1, firstEpoch+1
		}
		if err := l.index.Add(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if err := checkCut(l.index, firstEpoch+1); err == nil {
		t.Error("a seal over the cut was accepted")
	}
	if err := checkCut(l.index, firstEpoch+3); err != nil {
		t.Error(err)
	}
}

func TestTTL(t *testing.T) {
	l := newLake(t, 5*24*time.Hour, time.Hour)
	today := time.Now().Unix() / secondsPerDay
	l.seal(50, today-10, today-3, today)
	l.check(l.run(false), func(day int64) bool { return day > today-10 })

	l.view.Plan.TTL = 36 * time.Hour // as if days had passed
	l.seal(10, today-10, today)
	m := l.run(false)
	l.check(m, func(day int64) bool { return day == today })
	if m.Drift.Comparable {
		t.Error("drift is comparable although the batch layer leaves days out")
	}
}

func TestDrift(t *testing.T) {
	l := newLake(t, 0, time.Hour)
	l.seal(50, l.days...)
	if d := l.run(false).Drift; d.Comparable || d.From != event.NoEpoch || d.To != firstEpoch {
		t.Errorf("first: %+v", d)
	}
	count := func() (n int64) {
		for _, g := range l.groups {
			n += g[0]
		}
		return n
	}
	for _, c := range []struct {
		off        int64
		comparable bool
	}{{0, true}, {0, false}, {3, true}} {
		before := count()
		l.seal(20, 19_000, 19_002)
		l.speed = speed{events: count() - before + c.off, comparable: c.comparable}
		d := l.run(false).Drift
		if d.Batch != count()-before || d.Comparable != c.comparable || d.Speed-d.Batch != c.off {
			t.Errorf("%+v: %+v", c, d)
		}
	}
}

func TestOneRunAtATime(t *testing.T) {
	l := newLake(t, 0, time.Hour)
	l.seal(50, l.days...)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := l.runner.Run(context.Background(), l.view, l.index, true); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	m, err := l.runner.o.Publications.Current(t.Context(), l.view.ID)
	if err != nil || m.Generation != 4 {
		t.Fatalf("%+v, %v", m, err)
	}
	l.check(m, nil)

	_, unlock, err := l.runner.lock(t.Context(), l.view.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.runner.Run(ctx, l.view, l.index, true); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a turn: %v", err)
	}
}

func TestDrop(t *testing.T) {
	l := newLake(t, 0, time.Hour)
	l.seal(10, l.days...)
	l.run(false)
	for range 2 {
		if err := l.runner.Drop(t.Context(), l.view); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.runner.parts(t.Context(), l.view); err == nil {
		t.Error("the table is still there")
	}
}
