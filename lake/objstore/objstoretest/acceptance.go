// Package objstoretest is the acceptance suite of objstore.Store, and a wrapper that
// makes a store fail.
//
// The one invariant: every implementation passes the same suite, so that the lake above
// cannot tell them apart.
package objstoretest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/millrace/millrace/lake/objstore"
)

// Acceptance runs the suite on stores that open returns; each is empty.
func Acceptance(t *testing.T, open func(t *testing.T) objstore.Store) {
	cases := []struct {
		name string
		run  func(t *testing.T, s objstore.Store)
	}{
		{"put, get, replace", testPut},
		{"put new", testPutNew},
		{"one of many puts new", testPutNewConcurrent},
		{"create is invisible before commit", testCreate},
		{"abort", testAbort},
		{"not found", testNotFound},
		{"list", testList},
		{"delete", testDelete},
		{"names", testNames},
		{"read at", testReadAt},
		{"cancelled context", testCancelled},
		{"concurrent replacement", testConcurrent},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantObject(t *testing.T, s objstore.Store, name, want string) {
	t.Helper()
	got, err := objstore.Get(t.Context(), s, name)
	must(t, err)
	if string(got) != want {
		t.Fatalf("%s holds %q, want %q", name, got, want)
	}
}

func names(t *testing.T, s objstore.Store, prefix string) []string {
	t.Helper()
	list, err := s.List(t.Context(), prefix)
	must(t, err)
	out := []string{}
	for _, o := range list {
		out = append(out, o.Name)
	}
	return out
}

func testPut(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	must(t, s.Put(ctx, "a/b/c", []byte("one")))
	wantObject(t, s, "a/b/c", "one")
	must(t, s.Put(ctx, "a/b/c", []byte("second")))
	wantObject(t, s, "a/b/c", "second")
	must(t, s.Put(ctx, "empty", nil))
	wantObject(t, s, "empty", "")
	if s.URL("a/b/c") == s.URL("empty") {
		t.Fatal("two objects have one URL")
	}
}

func testPutNew(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	must(t, s.PutNew(ctx, "a/new", []byte("first")))
	for range 2 {
		if err := s.PutNew(ctx, "a/new", []byte("second")); !errors.Is(err, objstore.ErrExists) {
			t.Fatalf("a taken name: %v, want ErrExists", err)
		}
	}
	wantObject(t, s, "a/new", "first")
	must(t, s.Delete(ctx, "a/new"))
	must(t, s.PutNew(ctx, "a/new", []byte("third")))
	wantObject(t, s, "a/new", "third")
	if got := names(t, s, ""); !slices.Equal(got, []string{"a/new"}) {
		t.Fatalf("listed: %v", got)
	}
}

// testPutNewConcurrent has many write the same names at once: each name has one winner, and
// holds what that one wrote.
func testPutNewConcurrent(t *testing.T, s objstore.Store) {
	const writers, objects = 8, 25
	var mu sync.Mutex
	winners := make(map[string][]string)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range objects {
				name, mine := fmt.Sprintf("run/%03d", i), fmt.Sprintf("writer %d", w)
				switch err := s.PutNew(t.Context(), name, []byte(mine)); {
				case err == nil:
					mu.Lock()
					winners[name] = append(winners[name], mine)
					mu.Unlock()
				case !errors.Is(err, objstore.ErrExists):
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if len(winners) != objects {
		t.Fatalf("%d of %d names have a winner", len(winners), objects)
	}
	for name, won := range winners {
		if len(won) != 1 {
			t.Fatalf("%s was won by %v", name, won)
		}
		wantObject(t, s, name, won[0])
	}
}

func testCreate(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	w, err := s.Create(ctx, "x/y")
	must(t, err)
	_, err = w.Write([]byte("he"))
	must(t, err)
	_, err = w.Write([]byte("llo"))
	must(t, err)
	if _, err := s.Open(ctx, "x/y"); !errors.Is(err, objstore.ErrNotFound) {
		t.Fatalf("an unfinished object opens: %v", err)
	}
	if got := names(t, s, ""); len(got) != 0 {
		t.Fatalf("unfinished objects are listed: %v", got)
	}
	must(t, w.Commit())
	wantObject(t, s, "x/y", "hello")
	must(t, w.Abort())
	wantObject(t, s, "x/y", "hello")
	if err := w.Commit(); err == nil {
		t.Fatal("a second Commit succeeded")
	}
	if _, err := w.Write([]byte("!")); err == nil {
		t.Fatal("Write after Commit succeeded")
	}
}

func testAbort(t *testing.T, s objstore.Store) {
	must(t, s.Put(t.Context(), "x", []byte("old")))
	w, err := s.Create(t.Context(), "x")
	must(t, err)
	_, err = w.Write([]byte("new"))
	must(t, err)
	must(t, w.Abort())
	must(t, w.Abort())
	wantObject(t, s, "x", "old")
	if err := w.Commit(); err == nil {
		t.Fatal("Commit after Abort succeeded")
	}
}

func testNotFound(t *testing.T, s objstore.Store) {
	must(t, s.Put(t.Context(), "dir/object", nil))
	for _, name := range []string{"nothing", "dir", "dir/object/below", "dir/other"} {
		if _, err := s.Open(t.Context(), name); !errors.Is(err, objstore.ErrNotFound) {
			t.Errorf("open %s: %v, want ErrNotFound", name, err)
		}
	}
}

func testList(t *testing.T, s objstore.Store) {
	for _, n := range []string{"a/b", "a-b", "a/b/../c", "a/c/d", "ab", "a/bb"} {
		if objstore.CheckName(n) == nil {
			must(t, s.Put(t.Context(), n+".x", []byte(n)))
		}
	}
	for prefix, want := range map[string][]string{
		"":        {"a-b.x", "a/b.x", "a/bb.x", "a/c/d.x", "ab.x"},
		"a/":      {"a/b.x", "a/bb.x", "a/c/d.x"},
		"a/b":     {"a/b.x", "a/bb.x"},
		"a":       {"a-b.x", "a/b.x", "a/bb.x", "a/c/d.x", "ab.x"},
		"a/c/d.x": {"a/c/d.x"},
		"z/":      {},
	} {
		if got := names(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("list %q: %v, want %v", prefix, got, want)
		}
	}
	list, err := s.List(t.Context(), "ab")
	must(t, err)
	if list[0].SizeBytes != 2 || list[0].Modified.IsZero() {
		t.Errorf("listed as %+v", list[0])
	}
}

func testDelete(t *testing.T, s objstore.Store) {
	must(t, s.Put(t.Context(), "d/x", []byte("x")))
	must(t, s.Delete(t.Context(), "d/x"))
	must(t, s.Delete(t.Context(), "d/x"))
	must(t, s.Delete(t.Context(), "never/was"))
	if _, err := s.Open(t.Context(), "d/x"); !errors.Is(err, objstore.ErrNotFound) {
		t.Fatalf("open a deleted object: %v", err)
	}
	must(t, s.Put(t.Context(), "d/x", []byte("again")))
	wantObject(t, s, "d/x", "again")
}

func testNames(t *testing.T, s objstore.Store) {
	for _, n := range []string{"", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/./b", ".hidden", "a/.b", `a\b`, "a\x00b", "a\nb"} {
		if err := s.Put(t.Context(), n, nil); !errors.Is(err, objstore.ErrName) {
			t.Errorf("put %q: %v, want ErrName", n, err)
		}
		if _, err := s.Open(t.Context(), n); !errors.Is(err, objstore.ErrName) {
			t.Errorf("open %q: %v, want ErrName", n, err)
		}
		if err := s.PutNew(t.Context(), n, nil); !errors.Is(err, objstore.ErrName) {
			t.Errorf("put new %q: %v, want ErrName", n, err)
		}
		if err := s.Delete(t.Context(), n); !errors.Is(err, objstore.ErrName) {
			t.Errorf("delete %q: %v, want ErrName", n, err)
		}
	}
}

func testReadAt(t *testing.T, s objstore.Store) {
	must(t, s.Put(t.Context(), "r", []byte("0123456789")))
	r, err := s.Open(t.Context(), "r")
	must(t, err)
	defer r.Close()
	if r.Size() != 10 {
		t.Fatalf("size %d", r.Size())
	}
	b := make([]byte, 4)
	if n, err := r.ReadAt(b, 3); n != 4 || err != nil || string(b) != "3456" {
		t.Fatalf("read %d %q %v", n, b, err)
	}
	if n, err := r.ReadAt(b, 8); n != 2 || !errors.Is(err, io.EOF) {
		t.Fatalf("read over the end: %d %v", n, err)
	}
	must(t, s.Delete(t.Context(), "r"))
	if n, err := r.ReadAt(b, 0); n != 4 || err != nil {
		t.Fatalf("read an object that was deleted while open: %d %v", n, err)
	}
}

func testCancelled(t *testing.T, s objstore.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	w, err := s.Create(ctx, "c")
	must(t, err)
	cancel()
	if err := w.Commit(); !errors.Is(err, context.Canceled) {
		t.Errorf("commit: %v", err)
	}
	must(t, w.Abort())
	if err := s.Put(ctx, "c", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v", err)
	}
	if got := names(t, s, ""); len(got) != 0 {
		t.Errorf("a cancelled write left %v", got)
	}
}

// testConcurrent replaces one object over and over while others read it: each reading
// must be one of the writings, whole.
func testConcurrent(t *testing.T, s objstore.Store) {
	const writers, rounds = 4, 20
	content := func(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%04d", i), 1000) }
	must(t, s.Put(t.Context(), "hot", content(0)))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				if err := s.Put(t.Context(), "hot", content(w*rounds+i)); err != nil {
					t.Error(err)
				}
				got, err := objstore.Get(t.Context(), s, "hot")
				if err != nil || len(got) != 4000 || !bytes.Equal(got, bytes.Repeat(got[:4], 1000)) {
					t.Errorf("read %d bytes, %v", len(got), err)
				}
			}
		})
	}
	wg.Wait()
}
