package agg

import (
	"errors"

	"github.com/millrace/millrace/internal/event"
)

var errDistinctTypes = errors.New("-Distinct takes one number or Bool; uniqExact counts the different values of every type")

// distinct is -Distinct: the set of a group's values, which the function sees once each
// when the group is finished. Its state is the set, as that of uniqExact.
type distinct struct {
	exactUniques[key64]
	core   States // one group
	values event.Vector
	groups []uint32
}

// distinctOf makes a kernel see each value once.
func distinctOf(k kernel, args []event.Type) (kernel, error) {
	if len(args) != 1 || !args[0].Numeric() {
		return kernel{}, errDistinctTypes
	}
	states := k.states
	k.states = func() States {
		return &distinct{
			exactUniques: exactUniques[key64]{codec: valueKeys(args[0].Kind)},
			core:         states(),
			values:       event.Vector{Type: args[0]},
		}
	}
	return k, nil
}

func (d *distinct) Final(out *event.Vector, g uint32) {
	d.values.Reset()
	eachKey(&d.sets[g], &d.data, func(k key64) { appendBits(&d.values, d.values.Type.Kind, uint64(k)) })
	d.groups = resized(d.groups[:0], d.values.Len())
	d.core.Reset()
	d.core.Grow(1)
	d.core.Update(d.groups, []*event.Vector{&d.values})
	d.core.Final(out, 0)
}
