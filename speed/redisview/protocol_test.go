package redisview

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/event"
)

// entry is one entry of the model's log: its epoch, and the keys of its events.
type entry struct {
	epoch event.Epoch
	keys  []string
}

// model drives one partition as workers, readers and deleters do, and knows from its log
// what every reading must give.
type model struct {
	store   *Store
	faults  *faults
	log     []entry // entry i has sequence i+1
	cut     event.Epoch
	fence   uint64
	writers []*writer
	held    map[event.Epoch]map[string]int // a reader's cache of sealed epochs
	lost    int                            // writes that met ErrLost
	fenced  int
	read    int // readings compared
}

// writer is a worker's memory.
type writer struct {
	fence  uint64
	at     Checkpoint
	counts map[string]int // of epoch at.Epoch
}

const (
	modelView      = "model.1"
	modelPartition = 3
)

// seqAtCut returns the last entry that the cut covers.
func (m *model) seqAtCut() uint64 {
	n := uint64(0)
	for _, e := range m.log {
		if !e.epoch.CoveredBy(m.cut) {
			break
		}
		n++
	}
	return n
}

// open is what a worker does when it starts or has lost its state.
func (m *model) open(t *rapid.T, w *writer) bool {
	ctx := context.Background()
	c, ok, err := m.store.Load(ctx, modelView, modelPartition)
	if err != nil {
		t.Fatal(err)
	}
	if !ok || c.Seq < m.seqAtCut() || !c.Base.CoveredBy(m.cut) {
		w.at = Checkpoint{Fence: w.fence, Seq: m.seqAtCut(), Epoch: m.cut, Arrival: int64(m.seqAtCut())}
		w.counts = map[string]int{}
		return m.survives(t, m.store.Begin(ctx, modelView, modelPartition, w.at))
	}
	if c.Fence > w.fence {
		return m.survives(t, ErrFenced)
	}
	partials, err := m.store.LoadEpoch(ctx, modelView, modelPartition, c.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	w.at, w.counts = c, countsOf(t, partials)
	return true
}

// survives reports whether a writer goes on after an error.
func (m *model) survives(t *rapid.T, err error) bool {
	if errors.Is(err, ErrFenced) {
		m.fenced++
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

// write applies some entries and flushes them, as a worker does between two ticks.
func (m *model) write(t *rapid.T, w *writer) bool {
	counts, next := maps.Clone(w.counts), w.at
	changed := map[string]bool{}
	for n := rapid.IntRange(0, 4).Draw(t, "entries"); n > 0 && next.Seq < uint64(len(m.log)); n-- {
		e := m.log[next.Seq]
		if e.epoch > next.Epoch {
			if len(changed) > 0 {
				break // one flush is of one epoch
			}
			counts = map[string]int{}
			next.Epoch = e.epoch
		}
		next.Seq++
		next.Arrival = int64(next.Seq)
		for _, k := range e.keys {
			counts[k]++
			changed[k] = true
		}
	}
	next.Fence = w.fence
	var partials []Partial
	for k := range changed {
		partials = append(partials, Partial{Key: []byte(k), States: []byte(strconv.Itoa(counts[k]))})
	}
	m.faults.set(fault(rapid.IntRange(0, 2).Draw(t, "fault")))
	err := m.store.Flush(context.Background(), modelView, modelPartition, w.at, next, partials)
	m.faults.set(none)
	if errors.Is(err, errInjected) {
		if rapid.Bool().Draw(t, "dies of it") {
			return m.open(t, w)
		}
		var applied bool
		applied, err = m.store.Settle(context.Background(), modelView, modelPartition, w.at, next)
		if err == nil && !applied {
			err = m.store.Flush(context.Background(), modelView, modelPartition, w.at, next, partials)
		}
	}
	if errors.Is(err, ErrLost) {
		m.lost++
		return m.open(t, w)
	}
	if !m.survives(t, err) {
		return false
	}
	w.at, w.counts = next, counts
	return true
}

// check reads as the serving layer does and compares with the log.
func (m *model) check(t *rapid.T) {
	holds := func(e event.Epoch) bool { _, ok := m.held[e]; return ok }
	snap, err := m.store.Snapshot(context.Background(), modelView, modelPartition, m.cut, holds)
	if err != nil {
		t.Fatal(err)
	}
	if !snap.Found {
		return
	}
	got := map[string]int{}
	for _, e := range snap.Held {
		add(got, m.held[e])
	}
	for _, e := range snap.Epochs {
		counts := countsOf(t, e.Partials)
		add(got, counts)
		if e.Epoch < snap.Checkpoint.Epoch {
			m.held[e.Epoch] = counts
		}
	}
	want := map[string]int{}
	for _, e := range m.log[:snap.Checkpoint.Seq] {
		if !e.epoch.CoveredBy(m.cut) {
			for _, k := range e.keys {
				want[k]++
			}
		}
	}
	if !maps.Equal(got, want) {
		t.Fatalf("after cut %d at %+v: %v instead of %v", m.cut, snap.Checkpoint, got, want)
	}
	m.read++
}

func add(to, from map[string]int) {
	for k, n := range from {
		to[k] += n
	}
}

func countsOf(t *rapid.T, partials []Partial) map[string]int {
	counts := map[string]int{}
	for _, p := range partials {
		n, err := strconv.Atoi(string(p.States))
		if err != nil {
			t.Fatal(err)
		}
		counts[string(p.Key)] = n
	}
	return counts
}

func (m *model) append(t *rapid.T) {
	epoch := event.Epoch(100)
	if n := len(m.log); n > 0 {
		epoch = m.log[n-1].epoch
	}
	if rapid.IntRange(0, 3).Draw(t, "later") == 0 {
		epoch += event.Epoch(rapid.IntRange(1, 3).Draw(t, "epochs"))
	}
	e := entry{epoch: epoch}
	for range rapid.IntRange(0, 3).Draw(t, "events") {
		e.keys = append(e.keys, fmt.Sprint("k", rapid.IntRange(0, 4).Draw(t, "key")))
	}
	m.log = append(m.log, e)
}

// actions are what may happen, one at a time.
func (m *model) actions() map[string]func(*rapid.T) {
	ctx := context.Background()
	pick := func(t *rapid.T) int {
		if len(m.writers) == 0 {
			t.Skip("no writer")
		}
		return rapid.IntRange(0, len(m.writers)-1).Draw(t, "writer")
	}
	drop := func(i int) { m.writers = append(m.writers[:i], m.writers[i+1:]...) }
	write := func(t *rapid.T) {
		if i := pick(t); !m.write(t, m.writers[i]) {
			drop(i)
		}
	}
	newWriter := func(t *rapid.T) { // the writer before it is not told
		m.fence++
		w := &writer{fence: m.fence}
		if m.open(t, w) {
			m.writers = append(m.writers, w)
		}
	}
	return map[string]func(*rapid.T){
		"append": m.append, "append2": m.append, "append3": m.append,
		"write": write, "write2": write, "write3": write,
		"new writer": newWriter,
		"crash":      func(t *rapid.T) { drop(pick(t)); newWriter(t) },
		"flushall": func(t *rapid.T) {
			if err := m.store.Client().FlushAll(ctx).Err(); err != nil {
				t.Fatal(err)
			}
		},
		"publish": func(t *rapid.T) { // a batch run covers some more sealed epochs
			if n := len(m.log); n > 0 && m.log[n-1].epoch-1 > m.cut {
				low := max(m.cut, m.log[0].epoch-1)
				m.cut = event.Epoch(rapid.Int64Range(int64(low), int64(m.log[n-1].epoch-1)).Draw(t, "cut"))
			}
		},
		"delete": func(t *rapid.T) {
			if err := m.store.DeleteThrough(ctx, modelView, modelPartition, m.cut); err != nil {
				t.Fatal(err)
			}
		},
		"": m.check,
	}
}

// TestProtocol lets several writers, of which each believes to be the only one, write
// under crashes, lost connections and lost state. Whatever a reader finds is at every
// moment the aggregation of the log between its cut and the position that it finds.
func TestProtocol(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		f := &faults{}
		s.Client().AddHook(f)
		var lost, fenced, read int
		rapid.Check(t, func(t *rapid.T) {
			if err := s.Client().FlushAll(context.Background()).Err(); err != nil {
				t.Fatal(err)
			}
			f.set(none)
			m := &model{store: s, faults: f, cut: event.NoEpoch, held: map[event.Epoch]map[string]int{}}
			t.Repeat(m.actions())
			lost, fenced, read = lost+m.lost, fenced+m.fenced, read+m.read
		})
		t.Logf("%d readings compared, %d times lost, %d times fenced", read, lost, fenced)
		if read == 0 || lost == 0 || fenced == 0 {
			t.Error("the property was hardly tested")
		}
	})
}
