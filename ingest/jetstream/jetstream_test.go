package jetstream_test

import (
	"errors"
	"log/slog"
	"math"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/ingest/jetstream"
	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/ingest/stream/streamtest"
)

func open(t testing.TB, o jetstream.Options) *jetstream.Backend {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	b, err := jetstream.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestEmbeddedContract(t *testing.T) {
	defer goleak.VerifyNone(t)
	b, err := jetstream.Open(t.Context(), jetstream.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("suite", func(t *testing.T) {
		streamtest.Exercise(t, func(*testing.T) stream.Backend { return b })
	})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestEmbeddedRestart(t *testing.T) {
	streamtest.ExerciseRestart(t, func(t *testing.T) (stream.Backend, func() stream.Backend) {
		o := jetstream.Options{Dir: filepath.Join(t.TempDir(), "log")}
		b := open(t, o)
		return b, func() stream.Backend {
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, o)
		}
	})
}

func TestDirIsLocked(t *testing.T) {
	o := jetstream.Options{Dir: t.TempDir()}
	b := open(t, o)
	if _, err := jetstream.Open(t.Context(), o); err == nil {
		t.Fatal("two backends opened one directory")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, o)
}

// TestBusy: what JetStream or the disk has no room for is refused with ErrBusy, and
// nothing of it is there.
func TestBusy(t *testing.T) {
	cases := []struct {
		name string
		o    jetstream.Options
	}{
		{"disk nearly full", jetstream.Options{MinFreeBytes: math.MaxInt64}},
		{"store limit", jetstream.Options{MaxStoreBytes: 1 << 20}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			c.o.Dir, c.o.Metrics = t.TempDir(), registry
			log, err := open(t, c.o).Open(t.Context(), "full", 1)
			if err != nil {
				t.Fatal(err)
			}
			acked := uint64(0)
			for ; err == nil; acked++ {
				_, err = log.Append(t.Context(), 0, make([]byte, 300<<10))
			}
			acked--
			if !errors.Is(err, stream.ErrBusy) {
				t.Fatalf("append gave %v, want ErrBusy", err)
			}
			if head, err := log.Head(t.Context(), 0); err != nil || head != acked {
				t.Fatalf("head is %d, %v; want the %d acknowledged", head, err, acked)
			}
			// Room comes back with a trim.
			if acked > 0 {
				if err := log.Trim(t.Context(), 0, acked+1); err != nil {
					t.Fatal(err)
				}
				if seq, err := log.Append(t.Context(), 0, make([]byte, 300<<10)); err != nil || seq != acked+1 {
					t.Fatalf("append after the trim gave %d, %v; want %d", seq, err, acked+1)
				}
			}
			if families, err := registry.Gather(); err != nil || len(families) != 4 {
				t.Fatalf("%d metrics, %v; want 4", len(families), err)
			}
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	cases := map[string]jetstream.Options{
		"neither Dir nor URL": {},
		"both":                {Dir: "d", URL: "nats://127.0.0.1:1"},
		"negative store":      {Dir: "d", MaxStoreBytes: -1},
		"negative timeout":    {Dir: "d", AppendTimeout: -1},
		"embedded replicas":   {Dir: "d", Replicas: 3},
		"embedded creds":      {Dir: "d", CredsFile: "f"},
		"no server":           {URL: "nats://127.0.0.1:1"},
	}
	for name, o := range cases {
		if _, err := jetstream.Open(t.Context(), o); err == nil {
			t.Errorf("%s: opens", name)
		}
	}
}
