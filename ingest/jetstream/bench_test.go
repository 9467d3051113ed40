package jetstream_test

import (
	"strconv"
	"testing"

	"github.com/millrace/millrace/ingest/jetstream"
	"github.com/millrace/millrace/ingest/stream"
)

// BenchmarkAppend measures an append with its fsync.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{64 << 10, 512 << 10} {
		b.Run(strconv.Itoa(size>>10)+"KiB", func(b *testing.B) {
			log := openBench(b)
			payload := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := log.Append(b.Context(), 0, payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRead measures reading entries that are on disk or in the server's cache.
func BenchmarkRead(b *testing.B) {
	const size, entries = 512 << 10, 200
	log := openBench(b)
	for range entries {
		if _, err := log.Append(b.Context(), 0, make([]byte, size)); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(size * entries)
	for b.Loop() {
		r, err := log.Read(b.Context(), 0, 0)
		if err != nil {
			b.Fatal(err)
		}
		for range entries {
			if _, err := r.Next(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func openBench(b *testing.B) stream.Log {
	log, err := open(b, jetstream.Options{Dir: b.TempDir()}).Open(b.Context(), "bench", 1)
	if err != nil {
		b.Fatal(err)
	}
	return log
}
