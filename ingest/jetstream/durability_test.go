package jetstream_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"github.com/millrace/millrace/ingest/jetstream"
)

// childDir names, in the environment of a child process, where it is to append.
const childDir = "MILLRACE_TEST_APPEND_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := appendForEver(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

const killPartitions = 2

// appendForEver appends to all partitions at once and prints what was acknowledged.
func appendForEver(dir string) error {
	b, err := jetstream.Open(context.Background(), jetstream.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	log, err := b.Open(context.Background(), "killed", killPartitions)
	if err != nil {
		return err
	}
	failed := make(chan error)
	for p := range killPartitions {
		go func() {
			for {
				payload := make([]byte, 2<<10)
				binary.LittleEndian.PutUint64(payload, uint64(p))
				seq, err := log.Append(context.Background(), p, payload)
				if err != nil {
					failed <- err
					return
				}
				fmt.Printf("%d %d\n", p, seq) // one write: lines do not mix
			}
		}()
	}
	return <-failed
}

// TestKillNine: entries acknowledged before kill -9 are there afterwards, in order, and
// the log goes on behind them.
func TestKillNine(t *testing.T) {
	dir := t.TempDir()
	var acked [killPartitions]uint64
	for round := range 3 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childDir+"="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			var p int
			var seq uint64
			if _, err := fmt.Sscan(lines.Text(), &p, &seq); err != nil {
				break // cut off by the kill
			}
			acked[p] = max(acked[p], seq)
			if n == 100+50*round {
				_ = child.Process.Kill() // the lines still in the pipe count too
			}
		}
		_ = child.Wait()
	}
	log, err := open(t, jetstream.Options{Dir: dir}).Open(t.Context(), "killed", killPartitions)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range acked {
		head, err := log.Head(t.Context(), p)
		if err != nil || head < want || want == 0 {
			t.Fatalf("partition %d: head is %d, %v; acknowledged was %d", p, head, err, want)
		}
		r, err := log.Read(t.Context(), p, 0)
		if err != nil {
			t.Fatal(err)
		}
		for seq := uint64(1); seq <= head; seq++ {
			e, err := r.Next(t.Context())
			if err != nil || e.Seq != seq || binary.LittleEndian.Uint64(e.Payload) != uint64(p) {
				t.Fatalf("partition %d: read entry %d, %v; want %d", p, e.Seq, err, seq)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if seq, err := log.Append(t.Context(), p, []byte("next")); err != nil || seq != head+1 {
			t.Fatalf("partition %d: appended %d, %v; want %d", p, seq, err, head+1)
		}
	}
}
