// Package npmfetch brings single files out of npm packages into a directory of ours, by
// the npm command that the user has: it knows the user's registry, proxy and login.
//
// The one invariant: the file at the destination is whole and checked, or it is not
// there. It appears by one rename, however many processes fetch it at once.
package npmfetch

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/millrace/millrace/internal/progress"
)

// ErrNoNPM is the error of Fetch where there is no npm command.
var ErrNoNPM = errors.New("npm is not on PATH; install Node.js with npm (https://nodejs.org, or apt-get install npm)")

// ErrChecksum is the error of Fetch where the package is not the one that is pinned.
var ErrChecksum = errors.New("the package's SHA-512 is not the pinned one")

const (
	// killDelay is what npm gets to end after its context has.
	killDelay = 5 * time.Second
	// maxMessageBytes of npm's own words go into an error.
	maxMessageBytes = 2000
)

// File names one file of one package.
type File struct {
	Package   string // name@version, such as vega-datasets@3.2.1
	Path      string // inside the package, such as data/flights-3m.parquet
	SHA512    string // of the packed package, in base64; "" leaves the check to npm
	SizeBytes int64  // of the packed package, for the progress; 0: unknown
}

// Fetch brings the file to dest unless something is there already, and makes the
// directories on the way. Where several processes ask at once, one fetches and the others
// wait. Progress is reported to out, if not nil: as a bar where it is a terminal,
// else in plain lines.
func Fetch(ctx context.Context, f File, dest string, out io.Writer) error {
	if err := fetch(ctx, f, dest, out); err != nil {
		return fmt.Errorf("fetch %s of npm package %s: %w", f.Path, f.Package, err)
	}
	return nil
}

func fetch(ctx context.Context, f File, dest string, out io.Writer) error {
	dir := filepath.Dir(dest)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if exists(dest) {
		return nil
	}
	unlock, err := lock(ctx, filepath.Join(dir, ".fetch.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if exists(dest) { // another process was quicker
		return nil
	}
	// Beside the destination, so that the rename stays on one file system.
	work, err := os.MkdirTemp(dir, ".fetch-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	tarball, err := pack(ctx, f, work, out)
	if err != nil {
		return err
	}
	unpacked := filepath.Join(work, "file")
	if err := unpack(ctx, f, tarball, unpacked, out); err != nil {
		return err
	}
	if err := os.Rename(unpacked, dest); err != nil {
		return err
	}
	return syncDir(dir)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// pack has npm download the package into work and returns the path of the archive.
func pack(ctx context.Context, f File, work string, out io.Writer) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", ErrNoNPM
	}
	// A cache of its own shows how far npm is, and leaves no second copy behind.
	cache := filepath.Join(work, "cache")
	cmd := exec.CommandContext(ctx, npm, "pack", f.Package,
		"--pack-destination", work, "--cache", cache, "--loglevel=error", "--no-update-notifier")
	cmd.WaitDelay = killDelay
	cmd.Dir = work // away from any project's own settings
	var message strings.Builder
	cmd.Stderr = &message
	m := progress.New(out, "download "+f.Package, f.SizeBytes)
	stop := m.Follow(func() int64 { return treeSize(cache) })
	err = cmd.Run()
	stop()
	if err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("run npm pack: %w: %s", err, clip(message.String()))
	}
	m.Finish()
	archives, err := filepath.Glob(filepath.Join(work, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return "", fmt.Errorf("run npm pack: it left %d archives", len(archives))
	}
	return archives[0], nil
}

func clip(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > maxMessageBytes {
		s = "…" + s[len(s)-maxMessageBytes:]
	}
	return s
}

// treeSize adds up the files under a directory that another process is writing.
func treeSize(dir string) int64 {
	var total int64
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // it may have gone between being listed and being looked at
		}
		if info, err := d.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total
}

// unpack writes the file out of the archive and checks the archive as a whole.
func unpack(ctx context.Context, f File, tarball, to string, out io.Writer) error {
	in, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	sum := sha512.New()
	checked := io.TeeReader(contextReader{ctx, in}, sum)
	z, err := gzip.NewReader(checked)
	if err != nil {
		return fmt.Errorf("open archive: %w", err)
	}
	defer func() { _ = z.Close() }()
	if err := extract(z, "package/"+f.Path, to, progress.New(out, "unpack "+f.Path, 0)); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, checked); err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	return check(f, sum)
}

func check(f File, sum hash.Hash) error {
	got := base64.StdEncoding.EncodeToString(sum.Sum(nil))
	if f.SHA512 != "" && got != f.SHA512 {
		return fmt.Errorf("%w: got sha512-%s, want sha512-%s", ErrChecksum, got, f.SHA512)
	}
	return nil
}

// contextReader ends reading with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}
