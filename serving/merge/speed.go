package merge

import (
	"fmt"
	"math"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/speed/redisview"
)

// unwanted stands for the group of a partial that the query does not ask for.
const unwanted = math.MaxUint32

// addSpeed merges the partials of all partitions into the answer's table.
func (s *shape) addSpeed(table *agg.Table, snapshots []redisview.Snapshot) error {
	// The keys come first, in columns: a group comes again in every epoch and partition,
	// and conditions run over columns. The states then go straight to their group.
	keys := agg.NewTable(s.partialTypes(), nil)
	var groups []uint32 // by partial
	for _, snapshot := range snapshots {
		for _, e := range snapshot.Epochs {
			for _, p := range e.Partials {
				g, err := keys.GroupOf(p.Key)
				if err != nil {
					return fmt.Errorf("epoch %d: %w", e.Epoch, err)
				}
				groups = append(groups, g)
			}
		}
	}
	if len(groups) == 0 {
		return nil
	}
	targets, err := s.targets(table, keys)
	if err != nil {
		return err
	}
	for _, snapshot := range snapshots {
		for _, e := range snapshot.Epochs {
			for i, p := range e.Partials {
				if to := targets[groups[i]]; to != unwanted {
					if err := table.MergePartial(to, p.States); err != nil {
						return fmt.Errorf("epoch %d: %w", e.Epoch, err)
					}
				}
			}
			groups = groups[len(e.Partials):]
		}
	}
	return nil
}

// partialTypes are the types of a partial's key: the pane and all keys of the view.
func (s *shape) partialTypes() []event.Type {
	types := []event.Type{{Kind: event.Int64}}
	for _, k := range s.view.Keys {
		types = append(types, k.Type.Plain())
	}
	return types
}

// targets returns the answer's group of each group by (pane, all keys).
func (s *shape) targets(table, source *agg.Table) ([]uint32, error) {
	n := source.Len()
	columns := source.KeyColumns()
	panes, keys := columns[0].I64, columns[1:]
	rows := make([]uint32, 0, n) // those that the query asks for
	var match *event.Vector
	if s.where != nil {
		var err error
		if match, err = s.where.Eval(keys, n); err != nil {
			return nil, fmt.Errorf("evaluate where: %w", err)
		}
	}
	buckets := event.Vector{Type: s.keyTypes[0], I64: make([]int64, 0, n)}
	for i, pane := range panes {
		if s.covers(pane) && (match == nil || match.U8[i] != 0 && !match.Null(i)) {
			rows = append(rows, uint32(i))
			buckets.I64 = append(buckets.I64, s.bucket(pane))
		}
	}
	kept := []*event.Vector{&buckets}
	for i, k := range s.keep {
		v := &event.Vector{Type: s.keyTypes[1+i]}
		v.AppendRows(&keys[k], rows)
		kept = append(kept, v)
	}
	targets := make([]uint32, n)
	for i := range targets {
		targets[i] = unwanted
	}
	for i, g := range table.Groups(kept, len(rows), nil) {
		targets[rows[i]] = g
	}
	return targets, nil
}

// covers reports whether a pane is in the query's range, as batchSQL has it.
func (s *shape) covers(pane int64) bool {
	return (s.query.From <= MinTime || pane >= s.query.From) && (s.query.To >= MaxTime || pane < s.query.To)
}
