package deadletter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/objstore/local"
	"github.com/millrace/millrace/lake/objstore/objstoretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const id = "clicks.7"

func disk(t testing.TB) objstore.Store {
	t.Helper()
	s, err := local.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t testing.TB, objects objstore.Store) *Store {
	t.Helper()
	s, err := Open(t.Context(), objects, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func letter(raw string) Letter {
	return Letter{Arrival: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Line: 9, Reason: "ts: not a time", Raw: []byte(raw)}
}

// all reads every letter that waits.
func all(t testing.TB, s *Store) []Letter {
	t.Helper()
	list, err := s.List(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var out []Letter
	for _, o := range list {
		letters, err := s.Read(t.Context(), o.Name)
		if err != nil {
			t.Fatal(err)
		}
		if len(letters) != o.Letters {
			t.Fatalf("%s holds %d letters, its name says %d", o.Name, len(letters), o.Letters)
		}
		out = append(out, letters...)
	}
	return out
}

func TestWriteAndRead(t *testing.T) {
	objects := disk(t)
	s := open(t, objects)
	raws := []string{`{"a":1}`, "", "\xff\xfe\x00", "line\nbreak <&>  ", strings.Repeat("long", 100_000)}
	var letters []Letter
	for _, raw := range raws {
		letters = append(letters, letter(raw))
	}
	const header = "ts,\"a \"\"b\"\"\nc\""
	letters[0].Format = "json"
	letters[1].Format, letters[1].Header = "csv", header
	letters[2].Format, letters[2].Header = "csv", header
	letters[3].Format, letters[3].Header = "csv", "ts"
	if err := s.Write(t.Context(), id, letters); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{s, open(t, objects)} {
		got := all(t, s)
		if len(got) != len(raws) {
			t.Fatalf("%d letters, want %d", len(got), len(raws))
		}
		ids := make(map[string]bool)
		for i, l := range got {
			want := letters[i]
			want.ID, want.Stream = l.ID, id
			if string(l.Raw) != raws[i] || l.Line != want.Line || l.Reason != want.Reason || l.Format != want.Format || l.Header != want.Header || !l.Arrival.Equal(want.Arrival) || l.Stream != id {
				t.Errorf("letter %d: %+v, want %+v", i, l, want)
			}
			if ids[l.ID] || l.ID == "" {
				t.Errorf("id %q is not one letter's own", l.ID)
			}
			ids[l.ID] = true
		}
		if c := s.Counts()[id]; c != (Count{Letters: 5}) {
			t.Errorf("counts %+v", c)
		}
	}
	list, err := s.List(t.Context(), id)
	if err != nil || len(list) != 1 || !strings.HasPrefix(list[0].Name, "errors/clicks.7/date=") {
		t.Fatalf("listed %+v, %v", list, err)
	}
	if other, err := s.List(t.Context(), "clicks.70"); err != nil || len(other) != 0 {
		t.Fatalf("another stream lists %v, %v", other, err)
	}
}

// slow counts the objects that are put, and holds each up until it may go on.
type slow struct {
	objstore.Store
	puts  chan struct{}
	allow chan struct{}
}

func (s *slow) Put(ctx context.Context, name string, data []byte) error {
	s.puts <- struct{}{}
	<-s.allow
	return s.Store.Put(ctx, name, data)
}

// TestGroupCommit: calls that come while an object is being written share the next one.
func TestGroupCommit(t *testing.T) {
	held := &slow{Store: disk(t), puts: make(chan struct{}, 100), allow: make(chan struct{}, 100)}
	s := open(t, held)
	var wg sync.WaitGroup
	write := func() {
		wg.Go(func() {
			if err := s.Write(t.Context(), id, []Letter{letter("x")}); err != nil {
				t.Error(err)
			}
		})
	}
	write()
	<-held.puts
	for range 50 {
		write()
	}
	for {
		s.mu.Lock()
		n := len(s.waiting[id])
		s.mu.Unlock()
		if n == 50 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	held.allow <- struct{}{}
	<-held.puts
	held.allow <- struct{}{}
	wg.Wait()
	if got := len(all(t, s)); got != 51 {
		t.Fatalf("%d letters, want 51", got)
	}
	if list, _ := s.List(t.Context(), id); len(list) != 2 {
		t.Fatalf("%d objects, want 2", len(list))
	}
}

func TestFailure(t *testing.T) {
	objects := objstoretest.NewFaulty(disk(t), 0, syscall.ENOSPC)
	s := open(t, objects)
	if err := s.Write(t.Context(), id, []Letter{letter("x")}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("write: %v", err)
	}
	if c := s.Counts()[id]; c != (Count{}) {
		t.Fatalf("counts %+v", c)
	}
	objects.Heal()
	if err := s.Write(t.Context(), id, []Letter{letter("x")}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Write(ctx, id, []Letter{letter("x")}); !errors.Is(err, context.Canceled) {
		t.Fatalf("write: %v", err)
	}
	if err := s.Write(t.Context(), id, nil); err != nil {
		t.Fatal(err)
	}
	if got := len(all(t, s)); got != 1 {
		t.Fatalf("%d letters, want 1", got)
	}
}

func TestReplay(t *testing.T) {
	objects := disk(t)
	s := open(t, objects)
	if err := s.Write(t.Context(), id, []Letter{letter("a"), letter("b")}); err != nil {
		t.Fatal(err)
	}
	list, err := s.List(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	name := list[0].Name
	refused := errors.New("refused")
	if err := s.Replay(t.Context(), name, func(context.Context, []Letter) error { return refused }); !errors.Is(err, refused) {
		t.Fatalf("replay: %v", err)
	}
	taken := 0
	err = s.Replay(t.Context(), name, func(ctx context.Context, letters []Letter) error {
		taken += len(letters)
		if err := s.Replay(ctx, name, nil); !errors.Is(err, ErrReplaying) {
			t.Errorf("a second replay at the same time: %v", err)
		}
		return nil
	})
	if err != nil || taken != 2 {
		t.Fatalf("replayed %d letters, %v", taken, err)
	}
	if err := s.Replay(t.Context(), name, nil); !errors.Is(err, objstore.ErrNotFound) {
		t.Fatalf("replay again: %v", err)
	}
	for _, s := range []*Store{s, open(t, objects)} {
		if got := len(all(t, s)); got != 0 {
			t.Fatalf("%d letters wait", got)
		}
		if c := s.Counts()[id]; c != (Count{Replayed: 2}) {
			t.Fatalf("counts %+v", c)
		}
	}
	if err := s.Replay(t.Context(), "lake/other", nil); err == nil {
		t.Fatal("an object that is no dead letters was replayed")
	}
}

func TestDeleteBefore(t *testing.T) {
	s := open(t, disk(t))
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s.now = func() time.Time { return clock }
	for range 4 {
		if err := s.Write(t.Context(), id, []Letter{letter("x")}); err != nil {
			t.Fatal(err)
		}
		clock = clock.Add(24 * time.Hour)
	}
	n, err := s.DeleteBefore(t.Context(), id, clock.Add(-60*time.Hour))
	if err != nil || n != 2 {
		t.Fatalf("deleted %d, %v", n, err)
	}
	if c := s.Counts()[id]; c.Letters != 2 {
		t.Fatalf("counts %+v", c)
	}
	if n, err := s.DeleteBefore(t.Context(), "", clock); err != nil || n != 2 {
		t.Fatalf("deleted %d, %v", n, err)
	}
}

// TestClockBack: an object never takes the name of an older one.
func TestClockBack(t *testing.T) {
	objects := disk(t)
	for i := range 3 {
		s := open(t, objects)
		s.now = func() time.Time { return time.Unix(1000, 0) }
		if err := s.Write(t.Context(), id, []Letter{letter(fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(all(t, open(t, objects))); got != 3 {
		t.Fatalf("%d letters, want 3", got)
	}
}

// TestHeaderIsWrittenOnce: the header of a request's rows must not multiply.
func TestHeaderIsWrittenOnce(t *testing.T) {
	objects := disk(t)
	s := open(t, objects)
	header := "ts," + strings.Repeat("h", 1<<20)
	letters := make([]Letter, 2000) // together 2 GB of headers, more than Read takes
	for i := range letters {
		letters[i] = letter("x")
		letters[i].Format, letters[i].Header = "csv", header
	}
	if err := s.Write(t.Context(), id, letters); err != nil {
		t.Fatal(err)
	}
	for i, l := range all(t, s) {
		if l.Header != header {
			t.Fatalf("letter %d has a header of %d bytes, want %d", i, len(l.Header), len(header))
		}
	}
}

func TestLineRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := Letter{
			ID: rapid.StringMatching(`[a-z0-9/-]+`).Draw(rt, "id"), Stream: id, Line: rapid.IntRange(0, 1e9).Draw(rt, "line"),
			Arrival: time.Unix(0, rapid.Int64Range(0, 4e18).Draw(rt, "arrival")).UTC(),
			Reason:  rapid.String().Draw(rt, "reason"), Raw: rapid.SliceOf(rapid.Byte()).Draw(rt, "raw"),
			Format: rapid.SampledFrom([]string{"", "ndjson", "json", "csv"}).Draw(rt, "format"),
			Header: rapid.SampledFrom([]string{"", "ts,k", "ts"}).Draw(rt, "header"),
		}
		before := rapid.SampledFrom([]string{"", "ts,k"}).Draw(rt, "header before")
		text := appendTo(t, &l, before)
		if bytes.Count(text, []byte("\n")) != 1 {
			rt.Fatalf("not one line: %q", text)
		}
		got, err := parseLine(text, before)
		if err != nil {
			rt.Fatal(err)
		}
		if string(got.Raw) != string(l.Raw) || got.Reason != l.Reason || !got.Arrival.Equal(l.Arrival) || got.ID != l.ID || got.Line != l.Line || got.Format != l.Format || got.Header != l.Header {
			rt.Fatalf("%+v, want %+v", got, l)
		}
	})
}

func FuzzParseLine(f *testing.F) {
	l := letter("x")
	f.Add(appendTo(f, &l, ""))
	f.Add([]byte(`{"arrival":"2026-01-02T03:04:05Z","raw_base64":"/w=="}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parseLine(data, "")
		if err != nil {
			return
		}
		again, err := parseLine(appendTo(t, &l, ""), "")
		if err != nil || string(again.Raw) != string(l.Raw) {
			t.Fatalf("%+v became %+v, %v", l, again, err)
		}
	})
}

func appendTo(t testing.TB, l *Letter, before string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := appendLine(&b, l, before); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
