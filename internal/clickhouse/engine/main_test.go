package engine_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/clickhouse/engine"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
)

// parentVariable makes the test binary a parent that starts an engine in the named
// directory, prints the child's process id and waits to be killed.
const parentVariable = "MILLRACE_ENGINE_TEST_PARENT"

func TestMain(m *testing.M) {
	runner := enginetest.Wrap(m)
	if dir := os.Getenv(parentVariable); dir != "" {
		beParent(dir)
	}
	goleak.VerifyTestMain(runner)
}

func beParent(dir string) {
	opts, err := enginetest.OptionsFor(dir)
	if err == nil {
		var e *engine.Engine
		if e, err = engine.Start(context.Background(), opts); err == nil {
			fmt.Println(e.Pid())
			_, err = io.Copy(io.Discard, os.Stdin)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
