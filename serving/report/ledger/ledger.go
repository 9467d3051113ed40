// Package ledger keeps the runs of reports: which process works on which, and what came
// of each.
//
// The one invariant: a run is a list of numbered entries that are never changed, and the
// next number is written by one process only, the first that writes it. So a run has one
// owner, and one whose run another has taken over can write nothing more to it.
package ledger

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Errors of the ledger, for errors.Is.
var (
	// ErrTaken says that another process was first.
	ErrTaken = errors.New("the run is taken")
	// ErrLost says that a claim is over: another process took the run, or may take it now.
	ErrLost = errors.New("the claim of the run is lost")
)

// Store is where the ledger is kept. Several processes may write to one at the same time.
type Store interface {
	// PutNew writes an object in one durable step unless there is one of that name. Of
	// several that write one name, exactly one is told created. After an error the object may
	// be there.
	PutNew(ctx context.Context, name string, data []byte) (created bool, err error)
	Get(ctx context.Context, name string) (data []byte, found bool, err error)
	// List returns the names that begin with prefix, in order.
	List(ctx context.Context, prefix string) ([]string, error)
	// Delete removes an object; removing what is not there succeeds.
	Delete(ctx context.Context, name string) error
}

// DefaultLease is how long a process that does not answer keeps its run. It outlasts the
// pauses of a busy machine; a killed process's run starts again after it.
const DefaultLease = 30 * time.Second

// minimumAge is how old an ended run is before it is removed. No process takes a decision
// on a reading of the ledger that is nearly as old, so that none takes up what was removed.
const minimumAge = time.Hour

// Options of a Ledger.
type Options struct {
	Store Store
	Lease time.Duration    // DefaultLease where 0
	Now   func() time.Time // time.Now where nil
}

// Ledger is the runs in one store. It is safe for concurrent use.
type Ledger struct {
	store Store
	lease time.Duration
	now   func() time.Time
	owner string // tells this process's entries from another's

	mu   sync.Mutex
	read map[string]map[string]Record // by report, by the name of the entry: entries never change
}

// New returns the ledger in a store.
func New(o Options) *Ledger {
	l := &Ledger{store: o.Store, lease: o.Lease, now: o.Now, owner: rand.Text(), read: map[string]map[string]Record{}}
	if l.lease == 0 {
		l.lease = DefaultLease
	}
	if l.now == nil {
		l.now = time.Now
	}
	return l
}

// Lease is how long a claim holds without a sign of life.
func (l *Ledger) Lease() time.Duration { return l.lease }

// clock is the time that is compared with other processes': without Go's monotonic part,
// which stands still while a machine sleeps.
func (l *Ledger) clock() time.Time { return l.now().Round(0).UTC() }

// Record is the newest entry of a run.
type Record struct {
	Run
	Owner string    `json:"owner"`
	Lease time.Time `json:"lease"` // until then the owner is at work; zero: nobody is
	seq   int
}

// Due reports whether a process may take the run up: its owner is gone, or the time of its
// next attempt has come.
func (r *Record) Due(now time.Time) bool {
	switch r.State {
	case Running:
		return now.After(r.Lease)
	case Waiting:
		return r.NextAttempt == nil || !now.Before(*r.NextAttempt)
	}
	return false
}

const runsPrefix = "runs/"

func entryName(report, run string, seq int) string {
	return fmt.Sprintf("%s%s/%s/%06d.json", runsPrefix, report, run, seq)
}

// Runs returns the runs of a report, the newest first.
func (l *Ledger) Runs(ctx context.Context, report string) ([]Record, error) {
	names, err := l.store.List(ctx, runsPrefix+report+"/")
	if err != nil {
		return nil, fmt.Errorf("list runs of %s: %w", report, err)
	}
	last := newest(names)
	records := make([]Record, 0, len(last))
	known := make(map[string]Record, len(last))
	for _, name := range last {
		r, err := l.entry(ctx, report, name)
		if errors.Is(err, errGone) {
			continue // removed at this moment
		}
		if err != nil {
			return nil, err
		}
		known[name] = r
		records = append(records, r)
	}
	l.mu.Lock()
	l.read[report] = known
	l.mu.Unlock()
	slices.SortFunc(records, func(a, b Record) int { return strings.Compare(b.ID, a.ID) })
	return records, nil
}

// Run returns one run of a report.
func (l *Ledger) Run(ctx context.Context, report, id string) (r Record, found bool, err error) {
	if !validID(id) {
		return Record{}, false, nil
	}
	names, err := l.store.List(ctx, runsPrefix+report+"/"+id+"/")
	if err != nil {
		return Record{}, false, fmt.Errorf("list entries of run %s: %w", id, err)
	}
	if len(names) == 0 {
		return Record{}, false, nil
	}
	r, err = l.entry(ctx, report, names[len(names)-1])
	if errors.Is(err, errGone) {
		return Record{}, false, nil
	}
	return r, err == nil, err
}

// newest returns the last entry of each run of a list in order.
func newest(names []string) []string {
	var last []string
	for i, name := range names {
		dir := name[:strings.LastIndexByte(name, '/')+1]
		if i+1 == len(names) || !strings.HasPrefix(names[i+1], dir) {
			last = append(last, name)
		}
	}
	return last
}

var errGone = errors.New("the entry is gone")

// entry reads an entry, or remembers it.
func (l *Ledger) entry(ctx context.Context, report, name string) (Record, error) {
	l.mu.Lock()
	r, ok := l.read[report][name]
	l.mu.Unlock()
	if ok {
		return r, nil
	}
	data, found, err := l.store.Get(ctx, name)
	if err != nil {
		return Record{}, fmt.Errorf("read entry %s: %w", name, err)
	}
	if !found {
		return Record{}, errGone
	}
	return decode(name, data)
}

func decode(name string, data []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("read entry %s: %w", name, err)
	}
	base := strings.TrimSuffix(name[strings.LastIndexByte(name, '/')+1:], ".json")
	seq, err := strconv.Atoi(base)
	if err != nil {
		return r, fmt.Errorf("read entry %s: its name has no number", name)
	}
	r.seq = seq
	return r, nil
}

// write writes the entry under its number. It fails with ErrTaken where that is written
// already, unless by this very call, whose first answer was lost on the way.
func (l *Ledger) write(ctx context.Context, r Record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode entry of run %s: %w", r.ID, err)
	}
	name := entryName(r.Report, r.ID, r.seq)
	created, err := l.store.PutNew(ctx, name, data)
	if err != nil {
		return fmt.Errorf("write entry %s: %w", name, err)
	}
	if created {
		return nil
	}
	there, found, err := l.store.Get(ctx, name)
	if err != nil {
		return fmt.Errorf("read entry %s: %w", name, err)
	}
	if found && bytes.Equal(there, data) {
		return nil
	}
	return fmt.Errorf("entry %s: %w", name, ErrTaken)
}

// Begin claims a new run; ctx lives as long as the work on it. ErrTaken says that another process has begun it.
func (l *Ledger) Begin(ctx context.Context, run Run) (*Claim, error) {
	now := l.clock()
	run.State, run.Started, run.Attempts = Running, &now, 1
	return l.claim(ctx, Record{Run: run, seq: 1})
}

// TakeUp claims a run that is due: of a process that is gone, or for its next attempt;
// ctx lives as long as the work on it.
// ErrTaken says that another process was first.
func (l *Ledger) TakeUp(ctx context.Context, r Record) (*Claim, error) {
	if !r.Due(l.clock()) {
		return nil, ErrTaken
	}
	r.Run = r.clone()
	r.State, r.NextAttempt = Running, nil
	r.Attempts++
	r.seq++
	return l.claim(ctx, r)
}

func (l *Ledger) claim(ctx context.Context, r Record) (*Claim, error) {
	r.Owner, r.Lease = l.owner, l.clock().Add(l.lease)
	if err := l.write(ctx, r); err != nil {
		return nil, fmt.Errorf("claim run %s of %s: %w", r.ID, r.Report, err)
	}
	return newClaim(ctx, l, r), nil
}

// Note writes a run that ended without having begun: ticks that were missed.
func (l *Ledger) Note(ctx context.Context, run Run) error {
	return l.write(ctx, Record{Run: run, Owner: l.owner, seq: 1})
}

// Collect removes ended runs beyond the newest keep, and returns how many.
func (l *Ledger) Collect(ctx context.Context, report string, keep int) (removed int, err error) {
	runs, err := l.Runs(ctx, report)
	if err != nil {
		return 0, err
	}
	for _, r := range runs[min(keep, len(runs)):] {
		if !r.State.Ended() || r.Finished == nil || l.clock().Sub(*r.Finished) < minimumAge {
			continue
		}
		if err := l.remove(ctx, r); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// Drop removes everything of a report.
func (l *Ledger) Drop(ctx context.Context, report string) error {
	for _, prefix := range []string{runsPrefix, documentsPrefix, unsubscribedPrefix} {
		if err := l.removeAll(ctx, prefix+report+"/"); err != nil {
			return fmt.Errorf("drop report %s: %w", report, err)
		}
	}
	return nil
}

// remove removes a run, its documents first. The last entry goes last: where a crash comes
// between, the run is still what it was.
func (l *Ledger) remove(ctx context.Context, r Record) error {
	if err := l.removeAll(ctx, documentsPrefix+r.Report+"/"+r.ID+"/"); err != nil {
		return fmt.Errorf("remove run %s: %w", r.ID, err)
	}
	if err := l.removeAll(ctx, runsPrefix+r.Report+"/"+r.ID+"/"); err != nil {
		return fmt.Errorf("remove run %s: %w", r.ID, err)
	}
	return nil
}

// removeAll removes the objects of a prefix in order.
func (l *Ledger) removeAll(ctx context.Context, prefix string) error {
	names, err := l.store.List(ctx, prefix)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := l.store.Delete(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
