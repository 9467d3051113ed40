package appliance

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/parquetfile"
	"github.com/millrace/millrace/serving/query"
)

// blobs is the catalog's storage in the lake's store.
type blobs struct{ objstore.Store }

// Get reads an object whole and says whether there is one.
func (b blobs) Get(ctx context.Context, name string) ([]byte, bool, error) {
	data, err := objstore.Get(ctx, b.Store, name)
	if errors.Is(err, objstore.ErrNotFound) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// heads tells the serving layer how far the streams have come.
type heads struct{ a *Appliance }

// Head returns the newest acknowledged entry of a partition.
func (h heads) Head(_ context.Context, streamID string, partition int) (uint64, error) {
	r, err := h.a.stream(streamID)
	if err != nil {
		return 0, err
	}
	return r.log.acked(partition), nil
}

// Rejected returns the number of a stream's dead letters.
func (h heads) Rejected(streamID string) int64 { return h.a.letters.Counts()[streamID].Letters }

// stream returns a stream at work.
func (a *Appliance) stream(id string) (*running, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if r, ok := a.streams[id]; ok {
		return r, nil
	}
	return nil, fmt.Errorf("stream %s: %w", id, catalog.ErrNotFound)
}

// viewsOf returns the views over a stream.
func (a *Appliance) viewsOf(streamID string) []*catalog.View {
	var views []*catalog.View
	for _, v := range a.catalog.Views() {
		if v.StreamID == streamID {
			views = append(views, v)
		}
	}
	return views
}

// histories gives SQL the rows of streams.
type histories struct{ a *Appliance }

// Table returns every event acknowledged before the call.
func (h histories) Table(ctx context.Context, s *catalog.Stream) (query.Table, error) {
	r, err := h.a.stream(s.ID)
	if err != nil {
		return query.Table{}, err
	}
	upTo := make([]uint64, s.Plan.Partitions)
	for p := range upTo {
		if upTo[p], err = r.log.Head(ctx, p); err != nil {
			return query.Table{}, err
		}
	}
	snapshot, err := r.history.Snapshot(ctx, upTo)
	if err != nil {
		return query.Table{}, err
	}
	paths := make([]string, len(snapshot.Files))
	for i, f := range snapshot.Files {
		paths[i] = h.a.enginePath(f.Name)
	}
	return query.Table{
		Columns: parquetfile.Structure(s.Plan.Schema), Engine: parquetfile.TableEngine(paths), Positions: snapshot.Positions,
		Release: func() {
			if err := snapshot.Release(context.WithoutCancel(ctx)); err != nil {
				h.a.o.Log.Warn("release history of a query", "stream", s.Plan.Name, "error", err)
			}
		},
	}, nil
}
