package redisview

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/millrace/millrace/internal/event"
)

// benchPartials are groups of two short keys with a count and two sums.
func benchPartials(n int) (partials []Partial, bytes int64) {
	for i := range n {
		p := Partial{Key: binary.LittleEndian.AppendUint64([]byte("\x08LAX-JFK_"), uint64(i)), States: make([]byte, 20)}
		bytes += int64(len(p.Key) + len(p.States))
		partials = append(partials, p)
	}
	return partials, bytes
}

func BenchmarkFlush(b *testing.B) {
	for name, inProcess := range map[string]bool{"redis-server": false, "miniredis": true} {
		for _, n := range []int{10, 1000, 20000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				s := open(b, inProcess)
				partials, bytes := benchPartials(n)
				prev := Checkpoint{Fence: 1, Epoch: event.NoEpoch}
				if err := s.Begin(b.Context(), "v", 0, prev); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(bytes)
				b.ReportAllocs()
				for b.Loop() {
					next := prev
					next.Seq++
					if err := s.Flush(b.Context(), "v", 0, prev, next, partials); err != nil {
						b.Fatal(err)
					}
					prev = next
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "fields/s")
			})
		}
	}
}

func BenchmarkSnapshot(b *testing.B) {
	for name, inProcess := range map[string]bool{"redis-server": false, "miniredis": true} {
		b.Run(name, func(b *testing.B) {
			s := open(b, inProcess)
			partials, bytes := benchPartials(1000)
			first, second := Checkpoint{Fence: 1, Epoch: event.NoEpoch}, Checkpoint{Fence: 1, Seq: 1, Epoch: 2}
			if err := s.Begin(b.Context(), "v", 0, first); err != nil {
				b.Fatal(err)
			}
			if err := s.Flush(b.Context(), "v", 0, first, second, partials); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(bytes)
			b.ReportAllocs()
			for b.Loop() {
				snap, err := s.Snapshot(b.Context(), "v", 0, event.NoEpoch, nil)
				if err != nil || len(snap.Epochs) != 1 {
					b.Fatal(snap, err)
				}
			}
		})
	}
}
