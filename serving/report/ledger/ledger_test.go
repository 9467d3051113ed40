package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/objstore/local"
	"github.com/millrace/millrace/serving/report/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// disk is a ledger's store on the local disk, as processes share it.
type disk struct{ *local.Store }

func newDisk(t interface {
	Fatal(...any)
}, dir string) disk {
	s, err := local.OpenShared(dir)
	if err != nil {
		t.Fatal(err)
	}
	return disk{s}
}

func (d disk) PutNew(ctx context.Context, name string, data []byte) (bool, error) {
	err := d.Store.PutNew(ctx, name, data)
	if errors.Is(err, objstore.ErrExists) {
		return false, nil
	}
	return err == nil, err
}

func (d disk) Get(ctx context.Context, name string) ([]byte, bool, error) {
	data, err := objstore.Get(ctx, d.Store, name)
	if errors.Is(err, objstore.ErrNotFound) {
		return nil, false, nil
	}
	return data, err == nil, err
}

func (d disk) List(ctx context.Context, prefix string) ([]string, error) {
	objects, err := d.Store.List(ctx, prefix)
	var names []string
	for _, o := range objects {
		names = append(names, o.Name)
	}
	return names, err
}

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)} }

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

const lease = time.Minute

func open(t *testing.T, c *clock, dir string) *ledger.Ledger {
	t.Helper()
	return ledger.New(ledger.Options{Store: newDisk(t, dir), Lease: lease, Now: c.read})
}

func run(c *clock, deliveries ...string) ledger.Run {
	r := ledger.Run{Report: "daily.1", ID: ledger.TickID(c.read()), Tick: c.read()}
	for _, to := range deliveries {
		r.Deliveries = append(r.Deliveries, ledger.Delivery{To: to, State: ledger.Pending})
	}
	return r
}

func begin(t *testing.T, l *ledger.Ledger, r ledger.Run) *ledger.Claim {
	t.Helper()
	claim, err := l.Begin(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(claim.Abandon)
	return claim
}

func newest(t *testing.T, l *ledger.Ledger) ledger.Record {
	t.Helper()
	runs, err := l.Runs(t.Context(), "daily.1")
	if err != nil || len(runs) == 0 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	return runs[0]
}

func TestOneOfManyBeginsARun(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	var mu sync.Mutex
	won := 0
	var wg sync.WaitGroup
	for range 8 {
		l := open(t, c, dir)
		wg.Go(func() {
			claim, err := l.Begin(t.Context(), run(c))
			if err == nil {
				claim.Abandon()
				mu.Lock()
				won++
				mu.Unlock()
			} else if !errors.Is(err, ledger.ErrTaken) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Fatalf("%d processes began one run", won)
	}
}

// TestAPausedOwnerIsFenced: once its lease is over, another process takes the run up, and
// the first can write nothing more, nor is its context of any use.
func TestAPausedOwnerIsFenced(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	first, second := open(t, c, dir), open(t, c, dir)
	paused := begin(t, first, run(c, "a"))
	if _, err := second.TakeUp(t.Context(), newest(t, second)); !errors.Is(err, ledger.ErrTaken) {
		t.Fatalf("taken up under its lease: %v", err)
	}
	c.advance(lease + time.Second)
	there := newest(t, second)
	claim, err := second.TakeUp(t.Context(), there)
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Abandon()
	if _, err := open(t, c, dir).TakeUp(t.Context(), there); !errors.Is(err, ledger.ErrTaken) {
		t.Errorf("taken up twice: %v", err)
	}
	if err := paused.Finish(ledger.Delivered, func(*ledger.Run) {}); !errors.Is(err, ledger.ErrLost) {
		t.Errorf("the paused owner wrote: %v", err)
	}
	if paused.Context().Err() == nil {
		t.Error("the paused owner may go on")
	}
	if err := claim.Finish(ledger.Delivered, func(r *ledger.Run) { r.Rows = 7 }); err != nil {
		t.Fatal(err)
	}
	if r := newest(t, first); r.State != ledger.Delivered || r.Rows != 7 || r.Attempts != 2 || r.Finished == nil {
		t.Errorf("the run is %+v", r)
	}
}

// TestTheNumberFencesWithoutAClock: also a process whose clock is behind loses its claim.
func TestTheNumberFencesWithoutAClock(t *testing.T) {
	slow, right, dir := newClock(), newClock(), t.TempDir()
	right.advance(2 * lease)
	behind := begin(t, open(t, slow, dir), run(slow))
	other := open(t, right, dir)
	claim, err := other.TakeUp(t.Context(), newest(t, other))
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Abandon()
	if err := behind.Update(func(r *ledger.Run) { r.Rows = 1 }); !errors.Is(err, ledger.ErrLost) {
		t.Errorf("the process behind wrote: %v", err)
	}
}

func TestAClaimIsKeptAlive(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		mine := ledger.New(ledger.Options{Store: newDisk(t, dir), Lease: lease})
		claim, err := mine.Begin(t.Context(), ledger.Run{Report: "daily.1", ID: ledger.TickID(time.Now()), Tick: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * lease)
		if r := newest(t, mine); r.Due(time.Now()) || claim.Context().Err() != nil {
			t.Error("a claim that is at work was lost")
		}
		if err := claim.Finish(ledger.Delivered, func(*ledger.Run) {}); err != nil {
			t.Error(err)
		}
	})
}

func TestRelease(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	l := open(t, c, dir)
	at := c.read().Add(5 * time.Minute)
	if err := begin(t, l, run(c, "a")).Release(at, func(r *ledger.Run) { r.Deliveries[0].State = ledger.Waiting }); err != nil {
		t.Fatal(err)
	}
	r := newest(t, l)
	if r.State != ledger.Waiting || r.Due(c.read()) || !r.Due(at) {
		t.Fatalf("after release: %+v", r)
	}
	c.advance(5 * time.Minute)
	claim, err := open(t, c, dir).TakeUp(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Abandon()
	if got := claim.Run(); got.State != ledger.Running || got.NextAttempt != nil || got.Deliveries[0].State != ledger.Waiting {
		t.Errorf("taken up: %+v", got)
	}
}

func TestDocumentOfALostClaimIsNotTheRuns(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	first, second := open(t, c, dir), open(t, c, dir)
	paused := begin(t, first, run(c))
	c.advance(lease + time.Second)
	claim, err := second.TakeUp(t.Context(), newest(t, second))
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Abandon()
	d, err := claim.PutDocument("page", ledger.Document{Name: "x.csv", ContentType: "text/csv"}, []byte("right"))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = paused.PutDocument("page", ledger.Document{}, []byte("wrong")) // as just before it noticed
	content, found, err := first.Content(t.Context(), d)
	if err != nil || !found || string(content) != "right" {
		t.Errorf("the document is %q, %v, %v", content, found, err)
	}
}

func TestCollect(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	l := open(t, c, dir)
	var documents []ledger.Document
	for range 5 {
		claim := begin(t, l, run(c))
		d, err := claim.PutDocument("page", ledger.Document{}, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, d)
		if err := claim.Finish(ledger.Delivered, func(r *ledger.Run) { r.Document = &d }); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Minute)
	}
	if n, err := l.Collect(t.Context(), "daily.1", 2); n != 0 || err != nil {
		t.Fatalf("%d young runs removed, %v", n, err)
	}
	c.advance(2 * time.Hour)
	if n, err := l.Collect(t.Context(), "daily.1", 2); n != 3 || err != nil {
		t.Fatalf("%d runs removed, %v", n, err)
	}
	runs, err := l.Runs(t.Context(), "daily.1")
	if err != nil || len(runs) != 2 || runs[0].ID < runs[1].ID {
		t.Fatalf("left: %+v, %v", runs, err)
	}
	for i, d := range documents {
		if _, found, err := l.Content(t.Context(), d); found != (i >= 3) || err != nil {
			t.Errorf("document %d: found %v, %v", i, found, err)
		}
	}
	if err := l.Drop(t.Context(), "daily.1"); err != nil {
		t.Fatal(err)
	}
	if names, _ := newDisk(t, dir).List(t.Context(), ""); len(names) != 0 {
		t.Errorf("left after a drop: %v", names)
	}
}

func TestUnsubscribe(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	l, other := open(t, c, dir), open(t, c, dir)
	proof, err := l.Sign(t.Context(), "daily.1", "Ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		report, address, proof string
		want                   bool
	}{
		{"daily.1", "Ada@example.org", proof, true},
		{"daily.1", "ada@example.org", proof, true},
		{"daily.2", "ada@example.org", proof, false},
		{"daily.1", "eve@example.org", proof, false},
		{"daily.1", "ada@example.org", "", false},
		{"daily.1", "ada@example.org", "no!", false},
	} {
		if got, err := other.Signed(t.Context(), k.report, k.address, k.proof); got != k.want || err != nil {
			t.Errorf("%+v: %v, %v", k, got, err)
		}
	}
	for range 2 {
		if err := l.Unsubscribe(t.Context(), "daily.1", "Ada@example.org"); err != nil {
			t.Fatal(err)
		}
	}
	for address, want := range map[string]bool{"ada@example.org": true, "eve@example.org": false} {
		if got, err := other.Unsubscribed(t.Context(), "daily.1", address); got != want || err != nil {
			t.Errorf("%s: %v, %v", address, got, err)
		}
	}
}

// lossy is a store whose answers to writes are sometimes lost.
type lossy struct {
	disk
	lose func() bool
}

var errLostAnswer = errors.New("the answer was lost")

func (s lossy) PutNew(ctx context.Context, name string, data []byte) (bool, error) {
	if s.lose() {
		_, _ = s.disk.PutNew(ctx, name, data)
		return false, errLostAnswer
	}
	return s.disk.PutNew(ctx, name, data)
}

// TestRunsHaveOneOwner is random: processes begin, take up, deliver, stall, die and lose
// answers of the store. No entry is written by a process after another took its run, each
// delivery that is recorded stays recorded, and each run ends once.
func TestRunsHaveOneOwner(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c, dir := newClock(), t.TempDir()
		base := newDisk(rt, dir)
		lossyNow := false
		const processes, deliveries = 3, 2
		ledgers := make([]*ledger.Ledger, processes)
		claims := make([]*ledger.Claim, processes)
		defer func() {
			for _, claim := range claims {
				if claim != nil {
					claim.Abandon()
				}
			}
		}()
		for i := range ledgers {
			ledgers[i] = ledger.New(ledger.Options{Store: lossy{base, func() bool { return lossyNow }}, Lease: lease, Now: c.read})
		}
		holder := map[string]int{} // who took a run last, and so may write to it
		ended := map[string]int{}
		recorded := map[string]bool{} // run/delivery that a successful write said is delivered
		ids := 0
		write := func(p int, do func() error) bool {
			id := claims[p].Run().ID
			err := do()
			if err == nil && holder[id] != p {
				rt.Fatalf("process %d wrote to run %s, which process %d holds", p, id, holder[id])
			}
			return err == nil
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			p := rapid.IntRange(0, processes-1).Draw(rt, "process")
			lossyNow = rapid.IntRange(0, 9).Draw(rt, "lossy") == 0
			switch rapid.SampledFrom([]string{"work", "work", "deliver", "deliver", "finish", "stall", "die", "release"}).Draw(rt, "step") {
			case "work":
				if claims[p] != nil {
					continue
				}
				runs, err := ledgers[p].Runs(context.Background(), "daily.1")
				if err != nil {
					rt.Fatal(err)
				}
				i := slices.IndexFunc(runs, func(r ledger.Record) bool { return r.Due(c.read()) })
				if i < 0 {
					ids++
					r := run(c, "a", "b")
					r.ID = ledger.TickID(r.Tick.Add(time.Duration(ids) * time.Second))
					if claim, err := ledgers[p].Begin(context.Background(), r); err == nil {
						claims[p], holder[r.ID] = claim, p
					}
					continue
				}
				if claim, err := ledgers[p].TakeUp(context.Background(), runs[i]); err == nil {
					claims[p], holder[runs[i].ID] = claim, p
				}
			case "deliver":
				if claims[p] == nil {
					continue
				}
				d := rapid.IntRange(0, deliveries-1).Draw(rt, "delivery")
				id := claims[p].Run().ID
				if write(p, func() error {
					return claims[p].Update(func(r *ledger.Run) { r.Deliveries[d].State = ledger.Delivered })
				}) {
					recorded[fmt.Sprint(id, "/", d)] = true
				}
			case "finish":
				if claims[p] == nil {
					continue
				}
				id := claims[p].Run().ID
				if write(p, func() error { return claims[p].Finish(ledger.Delivered, func(*ledger.Run) {}) }) {
					ended[id]++
				}
				claims[p] = nil
			case "release":
				if claims[p] == nil {
					continue
				}
				write(p, func() error { return claims[p].Release(c.read(), func(*ledger.Run) {}) })
				claims[p] = nil
			case "stall":
				c.advance(time.Duration(rapid.IntRange(1, 90).Draw(rt, "seconds")) * time.Second)
			case "die":
				if claims[p] != nil {
					claims[p].Abandon()
					claims[p] = nil
				}
			}
		}
		runs, err := ledgers[0].Runs(context.Background(), "daily.1")
		if err != nil {
			rt.Fatal(err)
		}
		for _, r := range runs {
			if ended[r.ID] > 1 || ended[r.ID] == 1 && r.State != ledger.Delivered {
				rt.Fatalf("run %s ended %d times and is %s", r.ID, ended[r.ID], r.State)
			}
			for d := range r.Deliveries {
				if recorded[fmt.Sprint(r.ID, "/", d)] && r.Deliveries[d].State != ledger.Delivered {
					rt.Fatalf("delivery %d of run %s was recorded and is %s", d, r.ID, r.Deliveries[d].State)
				}
			}
			names, _ := base.List(context.Background(), "runs/daily.1/"+r.ID+"/")
			for i, name := range names {
				if !strings.HasSuffix(name, fmt.Sprintf("/%06d.json", i+1)) {
					rt.Fatalf("the entries of %s have a gap: %v", r.ID, names)
				}
			}
		}
	})
}
