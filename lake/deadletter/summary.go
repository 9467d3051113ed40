package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace/lake/objstore"
)

// maxSummarised is how many letters a summary counts by reason, the newest: what a person
// would read through, and a bound on what the first summary after a start has to read.
const maxSummarised = 10_000

// Summary says what waits among the letters of a stream, and why it was refused.
type Summary struct {
	Letters int64     // that wait
	Newest  time.Time // arrival of the newest; zero where there is none
	Counted int       // of the newest letters, which Reasons are of
	Reasons []Reason  // the most frequent first
}

// Reason counts the letters of one class of reasons.
type Reason struct {
	Class  string
	Count  int64
	Newest time.Time
}

// summaryOf is what one object holds, by class. Objects never change, so that it is
// reckoned once.
type summaryOf struct {
	letters int
	reasons map[string]Reason
}

// Summarise counts the newest letters of a stream by class of their reasons. The same class
// function must be given each time.
func (s *Store) Summarise(ctx context.Context, stream string, class func(reason string) string) (Summary, error) {
	out := Summary{Letters: s.Counts()[stream].Letters}
	objects, err := s.List(ctx, stream)
	if err != nil {
		return out, err
	}
	seen := map[string]summaryOf{}
	total := map[string]Reason{}
	for _, o := range slices.Backward(objects) {
		if out.Counted >= maxSummarised {
			break
		}
		of, err := s.summaryOf(ctx, o.Name, class)
		if errors.Is(err, objstore.ErrNotFound) {
			continue // it was replayed meanwhile
		}
		if err != nil {
			return out, fmt.Errorf("summarise dead letters of %s: %w", stream, err)
		}
		seen[o.Name] = of
		out.Counted += of.letters
		for c, r := range of.reasons {
			total[c] = add(total[c], r)
		}
	}
	s.mu.Lock()
	s.summaries[stream] = seen
	s.mu.Unlock()
	for _, r := range total {
		out.Reasons = append(out.Reasons, r)
		if r.Newest.After(out.Newest) {
			out.Newest = r.Newest
		}
	}
	slices.SortFunc(out.Reasons, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Class, b.Class))
	})
	return out, nil
}

func (s *Store) summaryOf(ctx context.Context, name string, class func(string) string) (summaryOf, error) {
	obj, err := parseName(name)
	if err != nil {
		return summaryOf{}, err
	}
	s.mu.Lock()
	of, ok := s.summaries[obj.stream][name]
	s.mu.Unlock()
	if ok {
		return of, nil
	}
	letters, err := s.Read(ctx, name)
	if err != nil {
		return summaryOf{}, err
	}
	of = summaryOf{letters: len(letters), reasons: map[string]Reason{}}
	for _, l := range letters {
		c := class(l.Reason)
		of.reasons[c] = add(of.reasons[c], Reason{Class: c, Count: 1, Newest: l.Arrival})
	}
	return of, nil
}

// add joins two counts of one class.
func add(a, b Reason) Reason {
	b.Count += a.Count
	if a.Newest.After(b.Newest) {
		b.Newest = a.Newest
	}
	return b
}
