// Package enginetest gives tests the real ClickHouse engine.
//
// The one invariant: a test that asks for the engine runs on it or fails; nothing is
// skipped unless MILLRACE_SKIP_ENGINE=1 says so.
//
// A test binary is its own engine child, so its TestMain must go through this package:
//
//	func TestMain(m *testing.M) { enginetest.Main(m) }
//
// or, with goleak, goleak.VerifyTestMain(enginetest.Wrap(m)).
package enginetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/clickhouse/engine"
)

// childVariable makes a test binary the engine child.
const childVariable = "MILLRACE_ENGINETEST_CHILD"

// shared is the engine of the test process. It is the one global of this package: tests
// of a package share the engine, and TestMain is the only thing that outlives them.
var shared struct {
	once   sync.Once
	engine *engine.Engine
	client *clickhouse.Client
	dir    string
	err    error
}

// Runner is what TestMain gets.
type Runner interface{ Run() int }

// Main runs the tests and exits; as the engine child it serves instead.
func Main(m Runner) { os.Exit(Wrap(m).Run()) }

// Wrap returns a runner that runs the tests and then stops the engine. In the engine
// child Wrap does not return.
func Wrap(m Runner) Runner {
	if os.Getenv(childVariable) != "" {
		if err := engine.RunChild(os.Stdin, os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	return runner{m}
}

type runner struct{ m Runner }

// Run runs the tests and stops the engine.
func (r runner) Run() int {
	status := r.m.Run()
	if shared.client != nil {
		_ = shared.client.Close()
	}
	if shared.engine != nil {
		shared.engine.Stop()
	}
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
	return status
}

// Options returns what a test needs to start an engine of its own on the directory. It
// fails the test where the library is missing.
func Options(tb testing.TB, dataDir string) engine.Options {
	tb.Helper()
	opts, err := OptionsFor(dataDir)
	if err != nil {
		unavailable(tb, err)
	}
	return opts
}

// OptionsFor is Options outside of a test.
func OptionsFor(dataDir string) (engine.Options, error) {
	library, err := engine.Library(os.Getenv("MILLRACE_LIBCHDB"))
	if err != nil {
		return engine.Options{}, err
	}
	return engine.Options{Library: library, DataDir: dataDir, Args: []string{}, Env: []string{childVariable + "=1"}}, nil
}

// Engine returns the engine that all tests of the process share.
func Engine(tb testing.TB) *engine.Engine {
	tb.Helper()
	shared.once.Do(func() { shared.err = start() })
	if shared.err != nil {
		unavailable(tb, shared.err)
	}
	return shared.engine
}

// Client returns a client of the shared engine; it is closed at the end of the process.
// Tests use tables of their own names.
func Client(tb testing.TB) *clickhouse.Client {
	tb.Helper()
	Engine(tb)
	return shared.client
}

func start() error {
	ctx := context.Background()
	var err error
	if shared.dir, err = os.MkdirTemp("", "millrace-engine-"); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	opts, err := OptionsFor(filepath.Join(shared.dir, "data"))
	if err != nil {
		return err
	}
	if shared.engine, err = engine.Start(ctx, opts); err != nil {
		return err
	}
	shared.client, err = shared.engine.Client()
	return err
}

func unavailable(tb testing.TB, err error) {
	tb.Helper()
	if os.Getenv("MILLRACE_SKIP_ENGINE") == "1" {
		tb.Skipf("MILLRACE_SKIP_ENGINE=1: %v", err)
	}
	tb.Fatalf("this test needs the ClickHouse engine: run `make engine` once, or set MILLRACE_LIBCHDB to libchdb.so, or MILLRACE_SKIP_ENGINE=1 to skip it: %v", err)
}
