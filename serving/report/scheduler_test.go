package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/serving/report/deliver"
	"github.com/millrace/millrace/serving/report/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a ledger's store that outlives the processes of a test.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
}

func (m *memory) PutNew(_ context.Context, name string, data []byte) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.objects[name]; there {
		return false, nil
	}
	m.objects[name] = slices.Clone(data)
	return true, nil
}

func (m *memory) Get(_ context.Context, name string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, found := m.objects[name]
	return data, found, nil
}

func (m *memory) List(_ context.Context, prefix string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(m.objects)) {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names, nil
}

func (m *memory) Delete(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
	return nil
}

// dying is a process's way to the store: after its death it reaches nothing.
type dying struct {
	*memory
	mu   sync.Mutex
	dead bool
}

var errDead = errors.New("the process is dead")

func (d *dying) die() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}

func (d *dying) isDead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dead
}

func (d *dying) PutNew(ctx context.Context, name string, data []byte) (bool, error) {
	if d.isDead() {
		return false, errDead
	}
	return d.memory.PutNew(ctx, name, data)
}

// answers is a Querier of a fixed answer, or error.
type answers struct {
	mu    sync.Mutex
	err   error
	asked int
}

func (a *answers) Query(context.Context, string, string, map[string]string) (*Answer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	if a.err != nil {
		return nil, a.err
	}
	return &Answer{Body: io.NopCloser(strings.NewReader("\"n\"\n1\n2\n")), Rows: func() int64 { return 2 }, Generations: []ledger.Generation{{Name: "hits", Generation: 3, Complete: true}}}, nil
}

func (a *answers) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = err
}

// sent is what couriers brought, by key: how often, and whether the first time was confirmed.
type sent struct {
	mu    sync.Mutex
	times map[string]int
	last  map[string]*deliver.Message
}

func (s *sent) add(m *deliver.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times[m.Key]++
	s.last[m.Key] = m
}

// courier delivers as its function says; nil delivers.
type courier struct {
	to  *sent
	way func(ctx context.Context, t deliver.Target, m *deliver.Message) error
}

func (c courier) Deliver(ctx context.Context, t deliver.Target, m *deliver.Message) error {
	if c.way != nil {
		if err := c.way(ctx, t, m); err != nil {
			return err
		}
	}
	c.to.add(m)
	return nil
}

// world is what processes share.
type world struct {
	store   *memory
	reports []*Definition
	sent    *sent
	answers *answers
}

func newWorld(t testing.TB, texts ...string) *world {
	w := &world{store: &memory{objects: map[string][]byte{}}, sent: &sent{times: map[string]int{}, last: map[string]*deliver.Message{}}, answers: &answers{}}
	for _, text := range texts {
		w.reports = append(w.reports, definition(t, text))
	}
	return w
}

const lease = time.Minute

func (w *world) options(store ledger.Store, way func(context.Context, deliver.Target, *deliver.Message) error) Options {
	return Options{
		Reports: func(context.Context) ([]*Definition, error) { return w.reports, nil }, Queries: w.answers,
		Ledger: ledger.New(ledger.Options{Store: store, Lease: lease}), Courier: courier{w.sent, way},
		Log: slog.New(slog.DiscardHandler),
	}
}

// start starts a process and returns how it ends well.
func (w *world) start(t *testing.T, store ledger.Store, way func(context.Context, deliver.Target, *deliver.Message) error) (s *Scheduler, stop func()) {
	t.Helper()
	s = Start(w.options(store, way))
	return s, func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

func (w *world) runs(t testing.TB, d *Definition) []ledger.Record {
	t.Helper()
	runs, err := ledger.New(ledger.Options{Store: w.store}).Runs(context.Background(), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(runs) // the oldest first
	return runs
}

const hourly = "CREATE REPORT hourly SCHEDULE '@hourly' AS SELECT 1 WITH (format = 'csv', deliver = 'https://example.org/x, file:a.csv')"

func TestRunsAtItsTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hourly)
		_, stop := w.start(t, w.store, nil)
		time.Sleep(3*time.Hour + time.Minute)
		stop()
		runs := w.runs(t, w.reports[0])
		if len(runs) != 3 || len(w.sent.times) != 6 {
			t.Fatalf("%d runs, %v", len(runs), w.sent.times)
		}
		for i, r := range runs {
			if r.State != ledger.Delivered || r.Rows != 2 || r.Bytes != 8 || r.Attempts != 1 || r.Generations[0].Generation != 3 || r.Tick.Minute() != 0 ||
				r.Started.Sub(r.Tick) > time.Second || r.Deliveries[0].State != ledger.Delivered || r.Deliveries[0].Attempts != 1 {
				t.Errorf("run %d: %+v", i, r)
			}
		}
		for key, m := range w.sent.last {
			if w.sent.times[key] != 1 || string(m.Content) != "\"n\"\n1\n2\n" || m.Type != "text/csv; charset=utf-8" || m.Key != key {
				t.Errorf("%s: %d times, %+v", key, w.sent.times[key], m)
			}
		}
	})
}

// TestManyProcessesUnderKills is random: three processes share a ledger; each dies at a random
// point of a delivery, again and again, and comes back. Each tick has one run, each delivery
// is recorded as delivered, and one that a process had recorded is not sent again.
func TestManyProcessesUnderKills(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { processesUnderKills(t, seed) })
		})
	}
}

func processesUnderKills(t *testing.T, seed uint64) {
	const hours = 8
	w := newWorld(t, hourly)
	chance := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex
	roll := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return chance.IntN(n)
	}
	kills, unsure := 0, map[string]int{} // sent by a process that died before it could say so
	end := make(chan struct{})
	var processes sync.WaitGroup
	for range 3 {
		processes.Go(func() {
			for {
				store := &dying{memory: w.store}
				died := make(chan struct{})
				once := sync.OnceFunc(func() {
					store.die()
					close(died)
				})
				s, stop := w.start(t, store, func(ctx context.Context, _ deliver.Target, m *deliver.Message) error {
					if store.isDead() {
						return errDead
					}
					time.Sleep(time.Duration(roll(20)) * time.Second)
					switch roll(4) {
					case 0: // before it is sent
						once()
						return errDead
					case 1: // after it is sent, and before that is recorded
						once()
						mu.Lock()
						unsure[m.Key]++
						kills++
						mu.Unlock()
					}
					return ctx.Err()
				})
				_ = s
				select {
				case <-died:
					stop()
					time.Sleep(time.Duration(roll(300)) * time.Second)
				case <-end:
					stop()
					return
				}
			}
		})
	}
	time.Sleep(hours*time.Hour + 50*time.Minute)
	close(end)
	processes.Wait()
	runs := w.runs(t, w.reports[0])
	ticks := 0
	for _, r := range runs {
		if r.State == ledger.Missed {
			ticks += r.MissedTicks
			continue
		}
		ticks++
		if r.State != ledger.Delivered {
			t.Errorf("run %s is %s: %+v", r.ID, r.State, r.Run)
		}
	}
	if ticks != hours {
		t.Errorf("%d ticks seen to, want %d", ticks, hours)
	}
	for key, n := range w.sent.times {
		if n > 1+unsure[key] {
			t.Errorf("%s was sent %d times, though only %d processes died before they could record it", key, n, unsure[key])
		}
	}
	if kills == 0 {
		t.Error("no process died after it sent: the test shows nothing")
	}
}

func TestAStoppedProcessHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hourly)
		reached := make(chan struct{}, 2)
		_, stop := w.start(t, w.store, func(ctx context.Context, _ deliver.Target, _ *deliver.Message) error {
			reached <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})
		<-reached
		stop()
		at := time.Now()
		_, stop = w.start(t, w.store, nil)
		synctest.Wait()
		time.Sleep(time.Second)
		stop()
		r := w.runs(t, w.reports[0])[0]
		if r.State != ledger.Delivered || r.Attempts != 2 || r.Finished.Sub(at) > 2*time.Second {
			t.Errorf("handed over: %+v", r.Run)
		}
	})
}

func TestFailedDeliveriesAreRetriedAndThenFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hourly)
		var at []time.Time
		_, stop := w.start(t, w.store, func(_ context.Context, to deliver.Target, _ *deliver.Message) error {
			if to.Kind == deliver.File {
				return nil
			}
			at = append(at, time.Now())
			return errors.New("the webhook is down")
		})
		time.Sleep(time.Hour + 10*time.Second)
		w.reports[0].Created = time.Now().Add(100 * time.Hour) // no tick after the first
		r := w.runs(t, w.reports[0])[0]
		if r.State != ledger.Waiting || r.Deliveries[0].State != ledger.Waiting || r.Deliveries[1].State != ledger.Delivered || r.Deliveries[0].Error != "the webhook is down" {
			t.Errorf("after the first attempt: %+v", r.Run)
		}
		time.Sleep(24 * time.Hour)
		stop()
		r = w.runs(t, w.reports[0])[0]
		if r.State != ledger.Failed || r.Deliveries[0].State != ledger.Failed || r.Deliveries[1].State != ledger.Delivered {
			t.Errorf("at the end: %+v", r.Run)
		}
		if len(at) != DefaultBackoff.Attempts || r.Deliveries[0].Attempts != len(at) {
			t.Errorf("%d attempts, %d in the ledger", len(at), r.Deliveries[0].Attempts)
		}
		for i := 1; i < len(at); i++ {
			wait, most := at[i].Sub(at[i-1]), min(DefaultBackoff.First<<(i-1), DefaultBackoff.Longest)
			if wait < most/2 || wait > most+2*longestPoll {
				t.Errorf("wait %d was %s, want %s to %s", i, wait, most/2, most)
			}
		}
		if w.answers.asked != 1 {
			t.Errorf("the query ran %d times", w.answers.asked)
		}
		for key, n := range w.sent.times {
			if n != 1 {
				t.Errorf("%s was delivered %d times", key, n)
			}
		}
	})
}

func TestQueriesThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hourly)
		w.answers.fail(problem.Busy("the engine was started again", time.Second))
		_, stop := w.start(t, w.store, nil)
		time.Sleep(time.Hour + time.Second)
		r := w.runs(t, w.reports[0])[0]
		if r.State != ledger.Waiting || !strings.Contains(r.Error, "the engine was started again") {
			t.Errorf("busy: %+v", r.Run)
		}
		w.answers.fail(nil)
		time.Sleep(5 * time.Minute)
		if r = w.runs(t, w.reports[0])[0]; r.State != ledger.Delivered || r.Error != "" || r.Attempts != 2 {
			t.Errorf("after that: %+v", r.Run)
		}
		w.answers.fail(problem.New(400, "query-refused", "no such view", ""))
		time.Sleep(time.Hour)
		stop()
		if r = w.runs(t, w.reports[0])[1]; r.State != ledger.Failed || r.Attempts != 1 || !strings.Contains(r.Error, "no such view") {
			t.Errorf("refused: %+v", r.Run)
		}
	})
}

func TestTooLargeDocumentsFail(t *testing.T) {
	for options, says := range map[string]string{"max_bytes = 7": "more than 7 bytes (max_bytes)", "max_rows = 1": "2 rows, more than 1 (max_rows)"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "CREATE REPORT r SCHEDULE '@hourly' AS SELECT 1 WITH (format = 'csv', deliver = 'file:x', "+options+")")
			_, stop := w.start(t, w.store, nil)
			time.Sleep(time.Hour + time.Second)
			stop()
			if r := w.runs(t, w.reports[0])[0]; r.State != ledger.Failed || !strings.Contains(r.Error, says) || len(w.sent.times) != 0 {
				t.Errorf("%s: %+v", options, r.Run)
			}
		})
	}
}

func TestMissedTicksAfterADowntime(t *testing.T) {
	for policy, want := range map[Policy]string{
		RunLast: "delivered missed*4 delivered delivered", Skip: "delivered missed*5 delivered", RunAll: "delivered delivered delivered delivered delivered delivered delivered",
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, strings.Replace(hourly, "WITH (", "WITH (missed = '"+string(policy)+"', ", 1))
			_, stop := w.start(t, w.store, nil)
			time.Sleep(time.Hour + time.Minute)
			stop()
			time.Sleep(5*time.Hour + 20*time.Minute)
			_, stop = w.start(t, w.store, nil)
			time.Sleep(time.Hour)
			stop()
			var got []string
			for _, r := range w.runs(t, w.reports[0]) {
				state := string(r.State)
				if r.State == ledger.Missed {
					state = fmt.Sprintf("missed*%d", r.MissedTicks)
				}
				got = append(got, state)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: %v, want %s", policy, got, want)
			}
		})
	}
}

// TestADeadReceiverHoldsUpNoOther: a report whose webhook hangs, at every tick, leaves others
// on time.
func TestADeadReceiverHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t,
			"CREATE REPORT hangs SCHEDULE '* * * * *' AS SELECT 1 WITH (format = 'csv', deliver = 'https://example.org/x')",
			"CREATE REPORT works SCHEDULE '* * * * *' AS SELECT 1 WITH (format = 'csv', deliver = 'file:a.csv')")
		_, stop := w.start(t, w.store, func(ctx context.Context, to deliver.Target, _ *deliver.Message) error {
			if to.Kind == deliver.File {
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Minute):
				return errors.New("timeout")
			}
		})
		time.Sleep(30*time.Minute + time.Second)
		stop()
		runs := w.runs(t, w.reports[1])
		if len(runs) != 30 {
			t.Errorf("%d runs in 30 minutes", len(runs))
		}
		for _, r := range runs {
			if r.State != ledger.Delivered || r.Finished.Sub(r.Tick) > time.Second {
				t.Errorf("%s: %s, ended %s after its tick", r.ID, r.State, r.Finished.Sub(r.Tick))
			}
		}
	})
}

func TestRunNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hourly)
		s, stop := w.start(t, w.store, nil)
		time.Sleep(30 * time.Minute)
		r, err := s.RunNow(t.Context(), w.reports[0])
		if err != nil || r.State != ledger.Delivered || !r.ByHand || r.Rows != 2 {
			t.Errorf("%+v, %v", r, err)
		}
		time.Sleep(31 * time.Minute)
		stop()
		if runs := w.runs(t, w.reports[0]); len(runs) != 2 || runs[1].ByHand || runs[1].Tick.Minute() != 0 {
			t.Errorf("the schedule moved: %+v", runs)
		}
	})
}

func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hourly)
		reached := make(chan struct{}, 2)
		s, stop := w.start(t, w.store, func(ctx context.Context, _ deliver.Target, _ *deliver.Message) error {
			reached <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})
		defer stop()
		<-reached
		s.Forget(w.reports[0].ID)
		if err := s.o.Ledger.Drop(t.Context(), w.reports[0].ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour) // the loop still knows the report
		if names, _ := w.store.List(t.Context(), ""); len(names) != 0 {
			t.Errorf("a dropped report goes on: %v", names)
		}
	})
}
