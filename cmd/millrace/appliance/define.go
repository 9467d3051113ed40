package appliance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/sql"
)

// CreateStream declares a stream and starts it.
func (a *Appliance) CreateStream(ctx context.Context, s *sql.CreateStream) error {
	a.define.Lock()
	defer a.define.Unlock()
	def, err := a.catalog.CreateStream(ctx, s)
	if err != nil {
		return err
	}
	r, err := a.startStream(ctx, def)
	if err != nil {
		_, derr := a.catalog.DropStream(context.WithoutCancel(ctx), def.Plan.Name)
		return errors.Join(err, derr)
	}
	a.mu.Lock()
	a.streams[def.ID] = r
	a.mu.Unlock()
	a.o.Log.Info("stream created", "stream", def.Plan.Name, "partitions", def.Plan.Partitions)
	return nil
}

// undoTimeout bounds the removal of a view whose creation failed: long for what has just
// been made, short for the definitions that wait behind it.
const undoTimeout = 10 * time.Second

// CreateView declares a view, publishes its history, and starts its speed layer.
func (a *Appliance) CreateView(ctx context.Context, s *sql.CreateView) error {
	a.define.Lock()
	defer a.define.Unlock()
	if err := a.unlessStalled(ctx, a.layersReady); err != nil {
		return err
	}
	v, err := a.catalog.CreateView(ctx, s)
	if err != nil {
		return err
	}
	if err := a.openNew(ctx, v, a.catalog.DropView); err != nil {
		return err
	}
	a.o.Log.Info("view created", "view", v.Plan.Name)
	return nil
}

// openNew opens a view that has just been declared, and takes it back where that fails.
func (a *Appliance) openNew(ctx context.Context, v *catalog.View, drop dropFunc) error {
	err := a.openView(ctx, v)
	if err == nil {
		return nil
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	return errors.Join(err, a.dropView(undo, v.Plan.Name, drop))
}

// dropFunc takes a definition out of the catalog.
type dropFunc func(ctx context.Context, name string) (*catalog.View, error)

// openView publishes a view's history where that is not done yet, and starts its speed
// layer and its schedule.
func (a *Appliance) openView(ctx context.Context, v *catalog.View) error {
	r, err := a.stream(v.StreamID)
	if err != nil {
		return err
	}
	if err := a.publishFirst(ctx, r, v); err != nil {
		return fmt.Errorf("publish view %s: %w", v.Plan.Name, err)
	}
	if err := a.startView(ctx, r, v); err != nil {
		return err
	}
	if err := a.startBoard(ctx, r, v); err != nil {
		return err
	}
	return a.scheduleView(v)
}

// DropView ends a view and removes what it kept.
func (a *Appliance) DropView(ctx context.Context, name string) error {
	a.define.Lock()
	defer a.define.Unlock()
	if err := a.unlessStalled(ctx, a.layersReady); err != nil {
		return err
	}
	return a.dropView(ctx, name, a.catalog.DropView)
}

func (a *Appliance) dropView(ctx context.Context, name string, drop dropFunc) error {
	v, err := drop(ctx, name)
	if err != nil {
		return err
	}
	a.schedule.Remove(v.ID)
	r, err := a.stream(v.StreamID)
	if err != nil {
		return err
	}
	return errors.Join(
		a.stopBoard(ctx, r, v),
		a.stopView(ctx, r, v),
		a.recompute.Drop(ctx, v),
		a.publications.Drop(ctx, v.ID),
	)
}

// DropStream ends a stream without views. Its log goes; its lake files stay, since they
// are the truth, and its id is never used again.
func (a *Appliance) DropStream(ctx context.Context, name string) error {
	a.define.Lock()
	defer a.define.Unlock()
	def, err := a.catalog.DropStream(ctx, name)
	if err != nil {
		return err
	}
	a.mu.Lock()
	r := a.streams[def.ID]
	delete(a.streams, def.ID)
	a.mu.Unlock()
	if r == nil {
		return nil
	}
	return errors.Join(r.stop(ctx), a.backend.Drop(ctx, def.ID))
}
