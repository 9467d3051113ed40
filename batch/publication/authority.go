package publication

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"

	"github.com/millrace/millrace/lake/objstore"
)

// ErrGeneration says that a manifest does not follow on the published one: another run
// has published meanwhile, or this one was published already.
var ErrGeneration = errors.New("generation does not follow on the published one")

// formatVersion is the version of the manifest's file; a reader refuses others.
const formatVersion = 1

// file is a manifest as it stands in the store.
type file struct {
	Format int `json:"format"`
	Manifest
}

// Authority loads and publishes manifests. It is safe for concurrent use.
type Authority struct {
	store objstore.Store

	publish sync.Mutex // one Publish or Drop at a time

	mu      sync.RWMutex
	current map[string]*Manifest // what was read or published; a nil entry: there is none
}

// Open returns the authority over the manifests in a store.
func Open(store objstore.Store) *Authority {
	return &Authority{store: store, current: make(map[string]*Manifest)}
}

// Name returns the object that holds a view's manifest. The id is escaped, so that no
// character of a name can lead elsewhere.
func Name(view string) string { return "views/" + url.PathEscape(view) + "/manifest.json" }

// Current returns the published manifest of a view, nil where there is none. It reads
// the store once and then answers from memory. The manifest must not be changed.
func (a *Authority) Current(ctx context.Context, view string) (*Manifest, error) {
	a.mu.RLock()
	m, known := a.current[view]
	a.mu.RUnlock()
	if known {
		return m, nil
	}
	// Under the publishing lock, so that a slow reading never hides a newer publication.
	a.publish.Lock()
	defer a.publish.Unlock()
	return a.load(ctx, view)
}

// load reads a view's manifest unless it is in memory. The caller holds publish.
func (a *Authority) load(ctx context.Context, view string) (*Manifest, error) {
	a.mu.RLock()
	m, known := a.current[view]
	a.mu.RUnlock()
	if known {
		return m, nil
	}
	data, err := objstore.Get(ctx, a.store, Name(view))
	if errors.Is(err, objstore.ErrNotFound) {
		a.remember(view, nil)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest of view %s: %w", view, err)
	}
	m, err = decode(data, view)
	if err != nil {
		return nil, fmt.Errorf("read manifest of view %s: %w", view, err)
	}
	a.remember(view, m)
	return m, nil
}

// decode reads a manifest's file.
func decode(data []byte, view string) (*Manifest, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	if f.Format != formatVersion {
		return nil, fmt.Errorf("format %d is not known, only %d", f.Format, formatVersion)
	}
	if f.View != view {
		return nil, fmt.Errorf("it is of view %q", f.View)
	}
	return &f.Manifest, nil
}

// Publish replaces the view's manifest, whose generation must be the old one's plus one;
// the first is 1. After an error other than ErrGeneration it may be published or not:
// Current tells.
func (a *Authority) Publish(ctx context.Context, m *Manifest) error {
	a.publish.Lock()
	defer a.publish.Unlock()
	old, err := a.load(ctx, m.View)
	if err != nil {
		return err
	}
	var generation uint64
	if old != nil {
		generation = old.Generation
		if m.Cut < old.Cut {
			return fmt.Errorf("publish generation %d of view %s: its cut %d is before the published %d", m.Generation, m.View, m.Cut, old.Cut)
		}
	}
	if m.Generation != generation+1 {
		return fmt.Errorf("publish generation %d of view %s after %d: %w", m.Generation, m.View, generation, ErrGeneration)
	}
	data, err := json.MarshalIndent(file{formatVersion, *m}, "", "\t")
	if err != nil {
		return fmt.Errorf("encode manifest of view %s: %w", m.View, err)
	}
	if err := a.store.Put(ctx, Name(m.View), data); err != nil {
		a.forget(m.View)
		return fmt.Errorf("publish generation %d of view %s: %w", m.Generation, m.View, err)
	}
	a.remember(m.View, m)
	return nil
}

// Drop removes the view's manifest. Dropping what is not there succeeds.
func (a *Authority) Drop(ctx context.Context, view string) error {
	a.publish.Lock()
	defer a.publish.Unlock()
	a.forget(view)
	if err := a.store.Delete(ctx, Name(view)); err != nil {
		return fmt.Errorf("drop manifest of view %s: %w", view, err)
	}
	return nil
}

func (a *Authority) remember(view string, m *Manifest) {
	a.mu.Lock()
	a.current[view] = m
	a.mu.Unlock()
}

// forget makes the next reading go to the store.
func (a *Authority) forget(view string) {
	a.mu.Lock()
	delete(a.current, view)
	a.mu.Unlock()
}
