package audit

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// fileBytes is the size past which a new file is begun: what an editor still opens.
	fileBytes = 64 << 20
	// maxFiles is how many files are kept, the newest: 1 GiB, some millions of entries.
	maxFiles = 16
	// maxLineBytes bounds a line that is read back: an entry's text, escaped, and the rest.
	maxLineBytes = 8 * MaxTextBytes
)

// secrets matches tokens, also cut ones.
var secrets = regexp.MustCompile(`mr_[A-Za-z0-9_-]{20,}`)

// Options configure a Log. Dir, Logger and Metrics are needed.
type Options struct {
	Dir     string // its own; made where it is missing
	Logger  *slog.Logger
	Metrics prometheus.Registerer
	// FileBytes and Files override the sizes above in tests.
	FileBytes int64
	Files     int
	Now       func() time.Time
	// Sync overrides how an entry is made durable, in tests.
	Sync func(*os.File) error
}

// Log is the log, NDJSON in files audit-N.ndjson of which the highest N is the newest. It
// is safe for concurrent use.
type Log struct {
	o      Options
	failed prometheus.Counter

	mu     sync.Mutex
	file   *os.File
	number uint64
	size   int64
}

// Open opens the log for appending.
func Open(o Options) (*Log, error) {
	o.FileBytes = cmp.Or(o.FileBytes, fileBytes)
	o.Files = cmp.Or(o.Files, maxFiles)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sync == nil {
		o.Sync = (*os.File).Sync
	}
	l := &Log{o: o, failed: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "millrace_audit_failures_total", Help: "Entries of the audit log that could not be written.",
	})}
	o.Metrics.MustRegister(l.failed)
	// Others on the machine have no business in it.
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	numbers, err := l.numbers()
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	if len(numbers) > 0 {
		l.number = numbers[len(numbers)-1]
	}
	if err := l.open(max(l.number, 1)); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	return l, nil
}

func (l *Log) path(number uint64) string {
	return filepath.Join(l.o.Dir, fmt.Sprintf("audit-%08d.ndjson", number))
}

// numbers lists the files there are, the oldest first.
func (l *Log) numbers() ([]uint64, error) {
	entries, err := os.ReadDir(l.o.Dir)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, e := range entries {
		text, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".ndjson"), "audit-")
		if n, err := strconv.ParseUint(text, 10, 64); ok && err == nil && filepath.Base(l.path(n)) == e.Name() {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// open appends to a file from now on. A line that a crash cut off is ended first.
func (l *Log) open(number uint64) error {
	f, err := os.OpenFile(l.path(number), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err = f.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			_, err = f.Write([]byte{'\n'})
		}
	}
	if err == nil {
		err = syncDir(l.o.Dir)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if l.file != nil {
		_ = l.file.Close() // every entry in it was written and, where it matters, synced
	}
	l.file, l.number, l.size = f, number, info.Size()
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Record appends an entry. One whose outcome is Begun is synced before it returns; the
// others may be lost with the machine's power.
func (l *Log) Record(ctx context.Context, e Entry) error {
	err := l.record(ctx, e)
	if err != nil {
		l.failed.Inc()
		l.o.Logger.Error("audit entry not written", "kind", e.Kind, "outcome", e.Outcome, "error", err)
	}
	return err
}

func (l *Log) record(ctx context.Context, e Entry) error {
	if e.Kind == "" || e.Outcome == "" {
		return errBadEntry
	}
	line, err := json.Marshal(e.complete(ctx, l.o.Now()))
	if err != nil {
		return fmt.Errorf("encode audit entry: %w", err)
	}
	line = append(line, '\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > 0 && l.size+int64(len(line)) > l.o.FileBytes {
		if err := l.rotate(); err != nil {
			return fmt.Errorf("begin audit file: %w", err)
		}
	}
	n, err := l.file.Write(line)
	l.size += int64(n)
	if err == nil && e.Outcome == Begun {
		err = l.o.Sync(l.file)
	}
	if err != nil {
		if n > 0 && n < len(line) { // half a line: the next entry must not hang on to it
			if terr := l.file.Truncate(l.size - int64(n)); terr == nil {
				l.size -= int64(n)
			}
		}
		return fmt.Errorf("write audit entry: %w", err)
	}
	return nil
}

// rotate begins the next file and removes those that are too many.
func (l *Log) rotate() error {
	if err := l.o.Sync(l.file); err != nil {
		return err
	}
	if err := l.open(l.number + 1); err != nil {
		return err
	}
	numbers, err := l.numbers()
	if err != nil {
		return err
	}
	for len(numbers) > l.o.Files {
		if err := os.Remove(l.path(numbers[0])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		numbers = numbers[1:]
	}
	return nil
}

// Close syncs and closes the log.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := errors.Join(l.file.Sync(), l.file.Close()); err != nil {
		return fmt.Errorf("close audit log: %w", err)
	}
	return nil
}

// List calls yield with the newest entries as they are in the log, the newest first, until
// there are limit of them, one is older than since, or yield returns false. Lines that
// cannot be read, as of a crash in the middle of one, are left out.
func (l *Log) List(limit int, since time.Time, yield func(line []byte) bool) error {
	numbers, err := l.numbers()
	if err != nil {
		return fmt.Errorf("list audit log: %w", err)
	}
	for i := len(numbers) - 1; i >= 0 && limit > 0; i-- {
		lines, err := tail(l.path(numbers[i]), limit, since)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // rotated away meanwhile, and so is what is older
		}
		if err != nil {
			return fmt.Errorf("read audit log: %w", err)
		}
		for j := len(lines) - 1; j >= 0; j-- {
			if limit--; !yield(lines[j]) {
				return nil
			}
		}
	}
	return nil
}

// tail returns the last entries of a file that are not older than since, at most n.
func tail(path string, n int, since time.Time) ([][]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ring := make([][]byte, 0, min(n, 1024))
	next := 0
	r := bufio.NewReaderSize(f, maxLineBytes)
	for {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue // no entry of ours is so long: the rest of it is no entry either
		}
		if err != nil {
			return nil, err
		}
		var e struct {
			Time time.Time `json:"time"`
			Kind string    `json:"kind"`
		}
		if json.Unmarshal(line, &e) != nil || e.Kind == "" || e.Time.Before(since) {
			continue
		}
		if len(ring) < n {
			ring = append(ring, bytes.Clone(line))
			continue
		}
		ring[next] = bytes.Clone(line)
		next = (next + 1) % n
	}
	return slices.Concat(ring[next:], ring[:next]), nil
}
