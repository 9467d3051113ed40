package npmfetch_test

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/npmfetch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const content = "the rows of a data set"

// packageDir is a package on disk; npm packs it without any registry.
func packageDir(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not on PATH: install npm to run this test")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"package.json":  `{"name": "millrace-test-data", "version": "1.2.3", "files": ["data"]}`,
		"data/rows.csv": content,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// leftovers lists what a fetch has left beside its file and lock.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != ".fetch.lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestFetch(t *testing.T) {
	pkg := packageDir(t)
	archive, err := exec.Command("npm", "pack", pkg, "--pack-destination", t.TempDir(), "--silent").Output()
	if err != nil {
		t.Fatalf("pack reference: %v: %s", err, archive)
	}
	for _, tc := range []struct {
		name string
		file npmfetch.File
		want string // of the error; "" means success
		is   error
	}{
		{"whole", npmfetch.File{Package: pkg, Path: "data/rows.csv"}, "", nil},
		{"absent file", npmfetch.File{Package: pkg, Path: "data/nothing.csv"}, "it has no package/data/nothing.csv", nil},
		{"absent package", npmfetch.File{Package: filepath.Join(pkg, "nothing"), Path: "x"}, "run npm pack", nil},
		{"another package than the pinned", npmfetch.File{
			Package: pkg, Path: "data/rows.csv", SHA512: base64.StdEncoding.EncodeToString(make([]byte, sha512.Size)),
		}, "", npmfetch.ErrChecksum},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			dest := filepath.Join(dir, "rows.csv")
			var progress bytes.Buffer
			err := npmfetch.Fetch(t.Context(), tc.file, dest, &progress)
			if tc.want == "" && tc.is == nil {
				got, readErr := os.ReadFile(dest)
				if err != nil || readErr != nil || string(got) != content {
					t.Fatalf("got %q, %v, %v", got, err, readErr)
				}
				if !strings.Contains(progress.String(), "unpack data/rows.csv: done") {
					t.Errorf("progress: %q", progress.String())
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || (tc.is != nil && !errors.Is(err, tc.is)) {
				t.Errorf("error %v, want %q, %v", err, tc.want, tc.is)
			}
			if left := leftovers(t, dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// fakeNPM puts a command called npm on PATH, with the given script.
func fakeNPM(t *testing.T, script string) {
	t.Helper()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "npm"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestFetchOnce(t *testing.T) {
	dir := t.TempDir()
	calls := filepath.Join(dir, "calls")
	archive := filepath.Join(dir, "archive.tgz")
	tree := filepath.Join(dir, "package")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "f"), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("tar", "czf", archive, "-C", dir, "package").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// npm pack NAME --pack-destination DIR …
	fakeNPM(t, "echo called >>"+calls+"\ncp "+archive+` "$4/x-1.0.0.tgz"`)
	dest := filepath.Join(dir, "cache", "f")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := npmfetch.Fetch(t.Context(), npmfetch.File{Package: "x@1.0.0", Path: "f"}, dest, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, err := os.ReadFile(dest); err != nil || string(got) != content {
		t.Errorf("got %q, %v", got, err)
	}
	if log, _ := os.ReadFile(calls); string(log) != "called\n" {
		t.Errorf("npm ran %d times", bytes.Count(log, []byte("\n")))
	}
}

func TestFetchCancelled(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	fakeNPM(t, "touch "+started+"\nexec sleep 60")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := t.TempDir()
	result := make(chan error, 1)
	go func() {
		result <- npmfetch.Fetch(ctx, npmfetch.File{Package: "x@1", Path: "f"}, filepath.Join(dir, "f"), nil)
	}()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(started); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("npm was not run")
		}
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFetchWithoutNPM(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := npmfetch.Fetch(t.Context(), npmfetch.File{Package: "x@1", Path: "f"}, filepath.Join(t.TempDir(), "f"), nil)
	if !errors.Is(err, npmfetch.ErrNoNPM) {
		t.Errorf("error %v, want ErrNoNPM", err)
	}
}
