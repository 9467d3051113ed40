// Package plugin runs the tools of the Grafana plugin's front end, which is TypeScript:
// npm brings the packages of the lock file, and package.json's scripts check, build and
// test it.
//
// The one invariant: however many processes want it, the packages are installed by one of
// them at a time, once for each lock file, and each build goes into a folder of its own.
package plugin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// FrontEnd is the front end in a folder: this one.
type FrontEnd struct{ Dir string }

// stampFile in node_modules holds the checksum of the lock file whose packages are there.
const stampFile = ".millrace-lock"

// Install brings the npm packages of the lock file where they are not there yet. It waits
// for another process that does the same.
func (f FrontEnd) Install(ctx context.Context) error {
	lock, err := os.ReadFile(filepath.Join(f.Dir, "package-lock.json"))
	if err != nil {
		return fmt.Errorf("read the lock file of the front end: %w", err)
	}
	sum := sha256.Sum256(lock)
	want := []byte(hex.EncodeToString(sum[:]))

	dir, err := os.Open(f.Dir)
	if err != nil {
		return fmt.Errorf("open the front end: %w", err)
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock the front end: %w", err)
	}
	stamp := filepath.Join(f.Dir, "node_modules", stampFile)
	have, err := os.ReadFile(stamp)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read what is installed: %w", err)
	}
	if bytes.Equal(have, want) {
		return nil
	}
	// Scripts of packages are not run: none is needed, and they may fetch from anywhere.
	if err := f.npm(ctx, nil, "ci", "--no-audit", "--no-fund", "--ignore-scripts"); err != nil {
		return err
	}
	if err := os.WriteFile(stamp, want, 0o644); err != nil {
		return fmt.Errorf("note what is installed: %w", err)
	}
	return nil
}

// Build builds the front end into a folder, emptied first: module.js, plugin.json with the
// version, and the texts and pictures that Grafana shows.
func (f FrontEnd) Build(ctx context.Context, version, into string) error {
	into, err := filepath.Abs(into)
	if err != nil {
		return fmt.Errorf("find the folder of the build: %w", err)
	}
	if err := f.Install(ctx); err != nil {
		return err
	}
	return f.npm(ctx, []string{"PLUGIN_VERSION=" + version}, "run", "build", "--", "--outDir", into, "--emptyOutDir")
}

// Run runs one of package.json's scripts; the packages must be installed.
func (f FrontEnd) Run(ctx context.Context, script string) error {
	return f.npm(ctx, nil, "run", script)
}

// npm runs npm. Its error has what was printed.
func (f FrontEnd) npm(ctx context.Context, env []string, args ...string) error {
	npm := exec.CommandContext(ctx, "npm", args...)
	npm.Dir = f.Dir
	npm.Env = slices.Concat(os.Environ(), []string{"CI=true", "NO_COLOR=1"}, env)
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("run npm %v in %s: %w\n%s", args, f.Dir, err, out)
	}
	return nil
}
