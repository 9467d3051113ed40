package deadletter

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/lake/objstore"
)

// Limits.
const (
	// maxGroupBytes is the raw bytes of one object: what one group commit takes along.
	maxGroupBytes = 32 << 20
	// maxObjectBytes is the decompressed size of an object that Read accepts: a group of
	// one huge request in base64, with room for reasons.
	maxObjectBytes = 1 << 30
)

// ErrReplaying says that someone else replays the object at this moment.
var ErrReplaying = errors.New("is being replayed already")

// Store keeps the letters of all streams. It is safe for concurrent use.
type Store struct {
	objects objstore.Store
	now     func() time.Time
	zstd    *zstd.Encoder
	written *prometheus.CounterVec

	mu      sync.Mutex
	names   namer
	waiting map[string][]*request // by stream, in order
	busy    map[string]bool       // streams whose group is being written
	counts  map[string]Count
	replays map[string]bool // objects that are being replayed
	// summaries are those of the objects that the last Summarise of a stream looked at, by
	// stream and object.
	summaries map[string]map[string]summaryOf
}

// Count is what is kept of one stream.
type Count struct {
	Letters  int64 // waiting for someone to look at them
	Replayed int64 // replayed and kept for the record
}

type request struct {
	letters []Letter
	bytes   int
	done    chan error
}

// Open returns the dead letters in a store and counts them. The registerer may be nil.
func Open(ctx context.Context, objects objstore.Store, r prometheus.Registerer) (*Store, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("open dead letters: %w", err)
	}
	s := &Store{
		objects: objects, now: time.Now, zstd: z,
		written: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_lake_dead_letters_total", Help: "Rows that went to the dead letters.",
		}, []string{"stream"}),
		waiting: make(map[string][]*request), busy: make(map[string]bool), counts: make(map[string]Count),
		replays: make(map[string]bool), summaries: make(map[string]map[string]summaryOf),
	}
	if r != nil {
		r.MustRegister(s.written)
	}
	for _, root := range []string{waitingRoot, replayedRoot} {
		list, err := objects.List(ctx, root)
		if err != nil {
			return nil, fmt.Errorf("open dead letters: %w", err)
		}
		for _, o := range list {
			obj, err := parseName(o.Name)
			if err != nil {
				return nil, fmt.Errorf("open dead letters: %w", err)
			}
			s.count(obj.stream, root, int64(obj.letters))
			s.names.last = max(s.names.last, obj.time.UnixNano())
		}
	}
	return s, nil
}

func (s *Store) count(stream, root string, n int64) {
	c := s.counts[stream]
	if root == waitingRoot {
		c.Letters += n
	} else {
		c.Replayed += n
	}
	s.counts[stream] = c
}

// Counts returns what is kept of each stream that has any.
func (s *Store) Counts() map[string]Count {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]Count, len(s.counts))
	for k, v := range s.counts {
		out[k] = v
	}
	return out
}

// Write keeps letters and returns once they are durable. Calls that come while an object
// is being written share the next one. The letters must not be changed until it returns;
// their ID and Stream are set here. After an error they may be kept or not.
func (s *Store) Write(ctx context.Context, stream string, letters []Letter) error {
	if len(letters) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("write dead letters of %s: %w", stream, err)
	}
	r := &request{letters: letters, done: make(chan error, 1)}
	header := ""
	for i := range letters {
		r.bytes += len(letters[i].Raw)
		if letters[i].Header != header {
			header = letters[i].Header
			r.bytes += len(header)
		}
	}
	s.mu.Lock()
	s.waiting[stream] = append(s.waiting[stream], r)
	lead := !s.busy[stream]
	s.busy[stream] = true
	s.mu.Unlock()
	if lead {
		// The leader writes groups until nobody waits. It must not stop when its own
		// caller goes away, as others' letters are in the group.
		go s.drain(context.WithoutCancel(ctx), stream)
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("write dead letters of %s: %w", stream, ctx.Err())
	}
}

func (s *Store) drain(ctx context.Context, stream string) {
	for {
		s.mu.Lock()
		group := takeGroup(s.waiting[stream])
		s.waiting[stream] = s.waiting[stream][len(group):]
		if len(group) == 0 {
			delete(s.waiting, stream)
			delete(s.busy, stream)
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		err := s.writeGroup(ctx, stream, group)
		for _, r := range group {
			r.done <- err
		}
	}
}

// takeGroup returns the requests at the front that fit into one object, at least one.
func takeGroup(waiting []*request) []*request {
	bytes := 0
	for i, r := range waiting {
		if bytes += r.bytes; i > 0 && bytes > maxGroupBytes {
			return waiting[:i]
		}
	}
	return waiting
}

func (s *Store) writeGroup(ctx context.Context, stream string, group []*request) error {
	n := 0
	for _, r := range group {
		n += len(r.letters)
	}
	s.mu.Lock()
	obj := s.names.next(stream, s.now(), n)
	s.mu.Unlock()
	var text bytes.Buffer
	i, header := 0, ""
	for _, r := range group {
		for _, l := range r.letters {
			i++
			l.Stream, l.ID = stream, obj.base()+"/"+strconv.Itoa(i)
			if err := appendLine(&text, &l, header); err != nil {
				return fmt.Errorf("write dead letters of %s: %w", stream, err)
			}
			header = l.Header
		}
	}
	if err := s.objects.Put(ctx, obj.name(waitingRoot), s.zstd.EncodeAll(text.Bytes(), nil)); err != nil {
		return fmt.Errorf("write dead letters of %s: %w", stream, err)
	}
	s.written.WithLabelValues(stream).Add(float64(n))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(stream, waitingRoot, int64(n))
	return nil
}

// Object is one object of letters.
type Object struct {
	Name      string
	Stream    string
	Arrival   time.Time // of its writing
	Letters   int
	SizeBytes int64
}

// List returns the objects of a stream that wait, oldest first.
func (s *Store) List(ctx context.Context, stream string) ([]Object, error) {
	list, err := s.objects.List(ctx, waitingRoot+stream+"/")
	if err != nil {
		return nil, fmt.Errorf("list dead letters of %s: %w", stream, err)
	}
	out := make([]Object, 0, len(list))
	for _, o := range list {
		obj, err := parseName(o.Name)
		if err != nil {
			return nil, fmt.Errorf("list dead letters of %s: %w", stream, err)
		}
		out = append(out, Object{Name: o.Name, Stream: stream, Arrival: obj.time, Letters: obj.letters, SizeBytes: o.SizeBytes})
	}
	return out, nil
}

// Read returns the letters of an object.
func (s *Store) Read(ctx context.Context, name string) ([]Letter, error) {
	r, err := s.objects.Open(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	defer r.Close()
	z, err := zstd.NewReader(io.NewSectionReader(r, 0, r.Size()), zstd.WithDecoderMaxMemory(maxObjectBytes), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("read dead letters %s: %w", name, err)
	}
	defer z.Close()
	in := bufio.NewReader(io.LimitReader(z, maxObjectBytes))
	var out []Letter
	header := ""
	for {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(text) == 0 {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read dead letters %s: %w", name, err)
		}
		l, err := parseLine(text, header)
		if err != nil {
			return nil, fmt.Errorf("read dead letters %s: %w", name, err)
		}
		out = append(out, l)
		header = l.Header
	}
}

// Replay hands the letters of an object to take, and once take has returned without an
// error moves the object out of List, so that it is not replayed again. A crash in
// between leaves it in List: take must be idempotent for the object's name, as an
// Idempotency-Key makes it.
func (s *Store) Replay(ctx context.Context, name string, take func(ctx context.Context, letters []Letter) error) error {
	obj, err := parseName(name)
	if err != nil {
		return fmt.Errorf("replay dead letters: %w", err)
	}
	if !s.claim(name) {
		return fmt.Errorf("replay dead letters %s: %w", name, ErrReplaying)
	}
	defer s.unclaim(name)
	letters, err := s.Read(ctx, name)
	if err != nil {
		return fmt.Errorf("replay dead letters: %w", err)
	}
	if err := take(ctx, letters); err != nil {
		return fmt.Errorf("replay dead letters %s: %w", name, err)
	}
	data, err := objstore.Get(ctx, s.objects, name)
	if err == nil {
		err = s.objects.Put(ctx, obj.name(replayedRoot), data)
	}
	if err == nil {
		err = s.objects.Delete(ctx, name)
	}
	if err != nil {
		return fmt.Errorf("mark dead letters %s as replayed: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(obj.stream, waitingRoot, -int64(obj.letters))
	s.count(obj.stream, replayedRoot, int64(obj.letters))
	return nil
}

func (s *Store) claim(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.replays[name] {
		return false
	}
	s.replays[name] = true
	return true
}

func (s *Store) unclaim(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.replays, name)
}

// DeleteBefore deletes the objects of a stream, replayed or not, that were written before
// t, and returns how many letters those were. An empty stream means all streams.
func (s *Store) DeleteBefore(ctx context.Context, stream string, t time.Time) (int64, error) {
	var n int64
	for _, root := range []string{waitingRoot, replayedRoot} {
		prefix := root
		if stream != "" {
			prefix += stream + "/"
		}
		list, err := s.objects.List(ctx, prefix)
		if err != nil {
			return n, fmt.Errorf("delete old dead letters: %w", err)
		}
		for _, o := range list {
			obj, err := parseName(o.Name)
			if err != nil {
				return n, fmt.Errorf("delete old dead letters: %w", err)
			}
			if !obj.time.Before(t) {
				continue
			}
			if err := s.objects.Delete(ctx, o.Name); err != nil {
				return n, fmt.Errorf("delete old dead letters: %w", err)
			}
			n += int64(obj.letters)
			s.mu.Lock()
			s.count(obj.stream, root, -int64(obj.letters))
			s.mu.Unlock()
		}
	}
	return n, nil
}
