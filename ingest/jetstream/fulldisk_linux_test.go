package jetstream_test

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/ingest/jetstream"
)

// TestFullDisk: a disk that really runs full stops the log; when there is room again it
// goes on by itself, and every acknowledged entry is there.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(24<<20)); err != nil {
		t.Skipf("a small disk cannot be mounted (%v): run as root on Linux to enable this test", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 12<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, jetstream.Options{Dir: filepath.Join(dir, "log"), MinFreeBytes: -1, AppendTimeout: time.Second})
	log, err := b.Open(t.Context(), "full", 1)
	if err != nil {
		t.Fatal(err)
	}
	acked := map[uint64]byte{}
	try := func(mark byte) error {
		payload := make([]byte, 512<<10)
		payload[0] = mark
		seq, err := log.Append(t.Context(), 0, payload)
		if err == nil {
			acked[seq] = mark
		}
		return err
	}
	mark := byte(0)
	for ; err == nil; mark++ {
		err = try(mark)
	}
	t.Logf("after %d entries: %v", len(acked), err)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { mark++; return try(mark) == nil })
	r, err := log.Read(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	last := uint64(0)
	for seq := range acked {
		last = max(last, seq)
	}
	for seq := uint64(1); seq <= last; seq++ {
		e, err := r.Next(t.Context())
		if err != nil || e.Seq != seq {
			t.Fatalf("read entry %d, %v; want %d", e.Seq, err, seq)
		}
		if want, ok := acked[seq]; ok && e.Payload[0] != want {
			t.Fatalf("entry %d is %d, want %d", seq, e.Payload[0], want)
		}
	}
}
