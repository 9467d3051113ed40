package appliance

import (
	"sync"
	"testing"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/ingest/stream/memstream"
)

// TestAckedLog knows the newest entry of before and of every append since, from many sides.
func TestAckedLog(t *testing.T) {
	back := memstream.New()
	defer back.Close()
	log, err := back.Open(t.Context(), "s.1", 2)
	if err != nil {
		t.Fatal(err)
	}
	tick, err := stream.EncodeEntry(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.Append(t.Context(), 1, tick); err != nil {
		t.Fatal(err)
	}
	acked, err := rememberAcked(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := acked.acked(0), acked.acked(1); a != 0 || b != 1 {
		t.Errorf("at first %d and %d", a, b)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			seq, err := acked.Append(t.Context(), 1, tick)
			if err != nil || acked.acked(1) < seq {
				t.Errorf("entry %d was acknowledged, and %d is the newest: %v", seq, acked.acked(1), err)
			}
		})
	}
	wg.Wait()
	if head, err := log.Head(t.Context(), 1); err != nil || acked.acked(1) != head {
		t.Errorf("%d is the newest, not %d: %v", acked.acked(1), head, err)
	}
	if _, err := acked.Append(t.Context(), 5, tick); err == nil {
		t.Error("a partition that is not there takes entries")
	}
}
