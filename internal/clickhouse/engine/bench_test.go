package engine_test

import (
	"path/filepath"
	"testing"

	"github.com/millrace/millrace/internal/clickhouse/engine"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
)

// BenchmarkStart is the time until a new engine answers.
func BenchmarkStart(b *testing.B) {
	opts := enginetest.Options(b, filepath.Join(b.TempDir(), "data"))
	for b.Loop() {
		e, err := engine.Start(b.Context(), opts)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		e.Stop()
		b.StartTimer()
	}
}
