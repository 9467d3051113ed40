package redisboard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/ranking"
	"github.com/millrace/millrace/speed/embedded/redistest"
	"github.com/millrace/millrace/speed/redisview"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	testPlan = &plan.Board{Windows: []plan.BoardWindow{{Name: "all"}, {Name: "day", Window: plan.Window{N: 1, Unit: plan.Day}}}}
	testOne  = Board{ID: "b.1", Plan: testPlan, Partition: 3}
	all      = ranking.Instance{}
	today    = ranking.Instance{Window: 1, Start: 86400}
)

// onEach runs a test on every kind of Redis.
func onEach(t *testing.T, f func(t *testing.T, s *Store)) {
	redistest.Each(t, func(t *testing.T, url string) {
		o, err := redis.ParseURL(url)
		must(t, err)
		client := redis.NewClient(o)
		t.Cleanup(func() { client.Close() })
		f(t, New(client))
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// members makes a change of some members of a window.
func members(in ranking.Instance, names ...string) []Touched {
	t := Touched{Instance: in}
	for _, n := range names {
		t.Members = append(t.Members, []byte(n))
	}
	return []Touched{t}
}

// keys computes totals of the given keys, and notes the old ones.
func keys(noted *[]string, keys ...string) Compute {
	return func(old [][]Total) ([][]Total, error) {
		totals := make([]Total, len(keys))
		for i, k := range keys {
			if noted != nil {
				*noted = append(*noted, fmt.Sprintf("%s/%s", old[0][i].Key, old[0][i].States))
			}
			totals[i] = Total{Key: []byte(k), States: []byte("state of " + k)}
		}
		return [][]Total{totals}, nil
	}
}

// begun makes an empty leaderboard at entry 1.
func begun(t *testing.T, s *Store, fence uint64) Checkpoint {
	t.Helper()
	at, err := s.Begin(t.Context(), testOne, fence)
	must(t, err)
	next := at
	next.Building, next.Seq = false, 1
	must(t, s.Flush(t.Context(), testOne, at, next, nil, nil, nil))
	return next
}

func after(c Checkpoint) Checkpoint {
	c.Seq++
	c.Arrival++
	return c
}

// one asks one question.
func one(t *testing.T, s *Store, q Question) Answer {
	t.Helper()
	readings, err := s.Read(t.Context(), []Board{testOne}, func(int) []Question { return []Question{q} })
	must(t, err)
	if !readings[0].Ready {
		t.Fatal("not ready")
	}
	return readings[0].Answers[0]
}

func TestFlush(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		c := begun(t, s, 1)
		var old []string
		must(t, s.Flush(ctx, testOne, c, after(c), members(all, "a", "b", "c"), keys(&old, "2", "1", ""), nil))
		c = after(c)
		if !slices.Equal(old, []string{"/", "/", "/"}) {
			t.Errorf("before: %q", old)
		}
		if got := one(t, s, Question{What: From, Instance: all, N: 9}).Elements; string(slices.Concat(got...)) != "1b2a" {
			t.Errorf("order is %q", got)
		}
		old = nil
		must(t, s.Flush(ctx, testOne, c, after(c), members(all, "b", "c", "d"), keys(&old, "3", "0", "\x00("), nil))
		if !slices.Equal(old, []string{"1/state of 1", "/state of ", "/"}) {
			t.Errorf("before the second: %q", old)
		}
		for _, k := range []struct {
			q     Question
			want  string
			count int64
		}{
			{Question{What: From, N: 9}, "\x00(d|0c|2a|3b", 0},
			{Question{What: From, N: 2, Bound: []byte("0c")}, "0c|2a", 0},
			{Question{What: From, N: 1, Bound: []byte("0c\x00")}, "2a", 0},
			{Question{What: Before, N: 2, Bound: []byte("3b")}, "2a|0c", 0},
			{Question{What: Before, N: 2}, "", 0},
			{Question{What: Better, Bound: []byte("2")}, "", 2},
			{Question{What: Better, Bound: []byte("2b")}, "", 3},
			{Question{What: Better}, "", 0},
			{Question{What: Ranked}, "", 4},
			{Question{What: Ranked, Instance: today}, "", 0},
			{Question{What: KeysOf, Members: [][]byte{[]byte("b"), []byte("nobody"), []byte("d")}}, "3||\x00(", 0},
		} {
			a := one(t, s, k.q)
			var texts []string
			for _, e := range a.Elements {
				texts = append(texts, string(e))
			}
			if strings.Join(texts, "|") != k.want || a.Count != k.count {
				t.Errorf("%+v: %q and %d, not %q and %d", k.q, texts, a.Count, k.want, k.count)
			}
		}
		a := one(t, s, Question{What: KeysOf, Members: [][]byte{[]byte("nobody")}})
		if a.Elements[0] != nil {
			t.Error("nobody is there")
		}
	})
}

func TestWindowsAreDropped(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		c := begun(t, s, 1)
		must(t, s.Flush(ctx, testOne, c, after(c), members(today, "a"), keys(nil, "1"), nil))
		c = after(c)
		_, windows, _, err := s.Load(ctx, testOne)
		must(t, err)
		if !slices.Equal(windows, []ranking.Instance{today}) {
			t.Errorf("windows %v", windows)
		}
		next := after(c)
		next.Floor = 2 * 86400
		must(t, s.Flush(ctx, testOne, c, next, members(all, "a"), keys(nil, "1"), []ranking.Instance{today}))
		got, windows, ok, err := s.Load(ctx, testOne)
		must(t, err)
		if !ok || got != next || !slices.Equal(windows, []ranking.Instance{all}) {
			t.Errorf("windows %v at %+v", windows, got)
		}
		if n := len(s.client.Keys(ctx, "*").Val()); n != 4 { // pos, windows, and two of all time
			t.Errorf("%d keys are left", n)
		}
		must(t, s.Drop(ctx, testOne))
		if left := s.client.Keys(ctx, "*").Val(); len(left) != 0 {
			t.Errorf("after the drop: %v", left)
		}
	})
}

func TestBuilding(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		begun(t, s, 1)
		at, err := s.Begin(ctx, testOne, 2)
		must(t, err)
		totals := [][]Total{{{Key: []byte("1"), States: []byte("s")}}}
		must(t, s.Fill(ctx, testOne, at, members(all, "a"), totals))
		readings, err := s.Read(ctx, []Board{testOne, {ID: "none", Plan: testPlan}}, func(int) []Question { return []Question{{What: Ranked}} })
		must(t, err)
		if readings[0].Ready || readings[1].Ready {
			t.Error("a leaderboard is read that is being built, or not there")
		}
		if _, err := s.Begin(ctx, testOne, 1); !errors.Is(err, redisview.ErrFenced) {
			t.Errorf("an older writer begins: %v", err)
		}
		again, err := s.Begin(ctx, testOne, 3)
		must(t, err)
		if err := s.Fill(ctx, testOne, at, members(all, "b"), totals); !errors.Is(err, redisview.ErrFenced) {
			t.Errorf("an older writer fills: %v", err)
		}
		next := again
		next.Building = false
		must(t, s.Flush(ctx, testOne, again, next, nil, nil, nil))
		if n := one(t, s, Question{What: Ranked}).Count; n != 0 {
			t.Errorf("%d members of before the second beginning", n)
		}
		must(t, s.client.FlushAll(ctx).Err())
		if err := s.Fill(ctx, testOne, again, members(all, "b"), totals); !errors.Is(err, redisview.ErrLost) {
			t.Errorf("after FLUSHALL: %v", err)
		}
	})
}

func TestFlushMovesFromItsOwnPosition(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		c := begun(t, s, 5)
		taken := c
		taken.Fence = 6
		must(t, s.Flush(ctx, testOne, c, taken, nil, nil, nil))
		if err := s.Flush(ctx, testOne, c, after(c), members(all, "a"), keys(nil, "1"), nil); !errors.Is(err, redisview.ErrFenced) {
			t.Errorf("an older writer: %v", err)
		}
		if err := s.Flush(ctx, testOne, after(taken), after(after(taken)), members(all, "a"), keys(nil, "1"), nil); !errors.Is(err, redisview.ErrLost) {
			t.Errorf("another position: %v", err)
		}
		floor := taken
		floor.Floor = 7
		if err := s.Flush(ctx, testOne, floor, after(floor), members(all, "a"), keys(nil, "1"), nil); !errors.Is(err, redisview.ErrLost) {
			t.Errorf("another floor: %v", err)
		}
		failed := errors.New("no totals")
		if err := s.Flush(ctx, testOne, taken, after(taken), members(all, "a"), func([][]Total) ([][]Total, error) { return nil, failed }, nil); !errors.Is(err, failed) {
			t.Errorf("failed totals: %v", err)
		}
		if n := one(t, s, Question{What: Ranked}).Count; n != 0 {
			t.Errorf("%d members were written", n)
		}
	})
}

// TestComputeAgain changes the checkpoint between the reading of the old totals and EXEC.
func TestComputeAgain(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		c := begun(t, s, 1)
		var calls atomic.Int32
		must(t, s.Flush(ctx, testOne, c, after(c), members(all, "a"), func(old [][]Total) ([][]Total, error) {
			if calls.Add(1) == 1 {
				must(t, s.client.Set(context.Background(), testOne.posKey(), c.encode(), 0).Err())
			}
			return keys(nil, "1")(old)
		}, nil))
		if calls.Load() != 2 {
			t.Errorf("computed %d times", calls.Load())
		}
	})
}

func TestManyMembers(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		c := begun(t, s, 1)
		var names, first, second []string
		for i := range 2*perCommand + 1 {
			names = append(names, fmt.Sprintf("m%05d", i))
			first = append(first, fmt.Sprintf("%05d", i))
			second = append(second, fmt.Sprintf("%05d", 90000-i))
		}
		must(t, s.Flush(ctx, testOne, c, after(c), members(all, names...), keys(nil, first...), nil))
		c = after(c)
		var old []string
		must(t, s.Flush(ctx, testOne, c, after(c), members(all, names...), keys(&old, second...), nil))
		if old[perCommand+5] != fmt.Sprintf("%05d/state of %05d", perCommand+5, perCommand+5) {
			t.Errorf("old total is %s", old[perCommand+5])
		}
		if got := one(t, s, Question{What: From, N: 1}); string(got.Elements[0]) != second[2*perCommand]+names[2*perCommand] {
			t.Errorf("the first is %s", got.Elements[0])
		}
		if n := one(t, s, Question{What: Ranked}).Count; n != int64(len(names)) {
			t.Errorf("%d members", n)
		}
	})
}

func TestUnreadableState(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		for _, text := range []string{"", "x", "1 2 3 4 5 6 7 what", "1 2 3 4 5 6 x ready", "9 2 3 4 5 6 7 ready"} {
			must(t, s.client.Set(ctx, testOne.posKey(), text, 0).Err())
			if _, _, _, err := s.Load(ctx, testOne); !errors.Is(err, ErrUnreadable) {
				t.Errorf("%q: %v", text, err)
			}
		}
		must(t, s.client.SAdd(ctx, testOne.windowsKey(), "fortnight:1").Err())
		c := begun(t, s, 1) // over what cannot be read
		must(t, s.client.HSet(ctx, testOne.totalsKey(all), "a", "").Err())
		if err := s.Flush(ctx, testOne, c, after(c), members(all, "a"), keys(nil, "1"), nil); !errors.Is(err, ErrUnreadable) {
			t.Errorf("an empty total: %v", err)
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	f.Add(initial(7).encode())
	f.Add("1 2 3 4 5 6 -7 ready")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := decodeCheckpoint(s)
		if err != nil {
			return
		}
		if d, err := decodeCheckpoint(c.encode()); err != nil || d != c {
			t.Errorf("%q gives %+v, which gives %+v, %v", s, c, d, err)
		}
	})
}

func TestInstanceNames(t *testing.T) {
	for _, in := range []ranking.Instance{all, today, {Window: 1, Start: -86400}} {
		back, err := testOne.instance(testOne.name(in))
		if err != nil || back != in {
			t.Errorf("%+v reads back as %+v, %v", in, back, err)
		}
	}
	for _, name := range []string{"", "all:0", "day", "day:x", "hour:3600"} {
		if _, err := testOne.instance(name); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if c := initial(3); c.Epoch != event.NoEpoch || !c.Building {
		t.Errorf("%+v", c)
	}
}
