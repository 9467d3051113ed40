package local_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/objstore/local"
	"github.com/millrace/millrace/lake/objstore/objstoretest"
)

func TestAcceptance(t *testing.T) {
	objstoretest.Acceptance(t, func(t *testing.T) objstore.Store {
		s, err := local.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// TestAcceptanceShared runs the suite on a directory that another process has open too.
func TestAcceptanceShared(t *testing.T) {
	objstoretest.Acceptance(t, func(t *testing.T) objstore.Store {
		dir := t.TempDir()
		s, err := local.OpenShared(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := local.OpenShared(dir); err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestOpenSharedLeavesWhatIsBeingWritten(t *testing.T) {
	dir := t.TempDir()
	s, err := local.OpenShared(dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	abandoned := filepath.Join(dir, ".tmp", "object-old")
	if err := os.WriteFile(abandoned, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-24 * time.Hour)
	if err := os.Chtimes(abandoned, long, long); err != nil {
		t.Fatal(err)
	}
	if _, err := local.OpenShared(dir); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Errorf("another process opened the directory: %v", err)
	}
	if _, err := os.Stat(abandoned); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an abandoned object stays: %v", err)
	}
}

// TestSteps pins the order that makes a write durable, parents included.
func TestSteps(t *testing.T) {
	root := t.TempDir()
	var mu sync.Mutex
	var steps []string
	s, err := local.OpenFaulty(root, func(op local.Op, name string) error {
		mu.Lock()
		defer mu.Unlock()
		if filepath.IsAbs(name) {
			name, _ = filepath.Rel(root, name)
		}
		steps = append(steps, string(op)+" "+name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	steps = nil
	if err := s.Put(t.Context(), "a/b/c", []byte("x")); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"create a/b/c", "write a/b/c",
		"mkdir a", "syncdir .", "mkdir a/b", "syncdir a",
		"sync a/b/c", "close a/b/c", "rename a/b/c", "syncdir a/b",
	}
	if !slices.Equal(steps, want) {
		t.Fatalf("steps\n%s\nwant\n%s", strings.Join(steps, "\n"), strings.Join(want, "\n"))
	}
}

// TestFailAtEachStep fails the k-th step of a run of changes for each k, opens the
// directory again, and finds each object either as it was or as it should be.
func TestFailAtEachStep(t *testing.T) {
	for k := 0; ; k++ {
		root := t.TempDir()
		s, err := local.Open(root)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Put(t.Context(), "old/x", []byte("before")); err != nil {
			t.Fatal(err)
		}
		n := 0
		faulty, err := local.OpenFaulty(root, func(op local.Op, _ string) error {
			defer func() { n++ }()
			if n >= k {
				return fmt.Errorf("step %s: %w", op, syscall.ENOSPC)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		errs := []error{
			faulty.Put(ctx, "old/x", []byte("after")),
			faulty.Put(ctx, "new/y", []byte("fresh")),
			faulty.Delete(ctx, "old/x"),
		}
		for _, err := range errs {
			if err != nil && !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("k=%d: %v does not name the full disk", k, err)
			}
		}
		again, err := local.Open(root)
		if err != nil {
			t.Fatal(err)
		}
		left, err := os.ReadDir(filepath.Join(root, ".tmp"))
		if err != nil || len(left) != 0 {
			t.Fatalf("k=%d: unfinished objects are left: %v %v", k, left, err)
		}
		got, err := objstore.Get(ctx, again, "old/x")
		switch {
		case errs[2] == nil && !errors.Is(err, objstore.ErrNotFound):
			t.Fatalf("k=%d: deleted, but there: %q %v", k, got, err)
		case errs[2] != nil && errs[0] == nil && string(got) != "after" && !errors.Is(err, objstore.ErrNotFound):
			t.Fatalf("k=%d: %q %v", k, got, err)
		case errs[0] != nil && string(got) != "before" && string(got) != "after":
			t.Fatalf("k=%d: %q %v", k, got, err)
		}
		got, err = objstore.Get(ctx, again, "new/y")
		if errs[1] == nil && string(got) != "fresh" {
			t.Fatalf("k=%d: written, but %q %v", k, got, err)
		}
		if err != nil && !errors.Is(err, objstore.ErrNotFound) || err == nil && string(got) != "fresh" {
			t.Fatalf("k=%d: half an object: %q %v", k, got, err)
		}
		if errs[0] == nil && errs[1] == nil && errs[2] == nil {
			if k < 15 {
				t.Fatalf("only %d steps", k)
			}
			return
		}
	}
}

func TestOpenRemovesUnfinished(t *testing.T) {
	root := t.TempDir()
	s, err := local.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	if _, err := local.Open(root); err != nil { // as after a crash
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Join(root, ".tmp")); len(left) != 0 {
		t.Fatalf("left: %v", left)
	}
	if err := w.Commit(); err == nil {
		t.Fatal("a lost temporary file was committed")
	}
}

func TestOpenRefusesPatterns(t *testing.T) {
	for _, name := range []string{"a*b", "{a,b}", "a?"} {
		if _, err := local.Open(filepath.Join(t.TempDir(), name)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
