// Package agg holds Millrace's aggregate functions: their states, how rows enter a
// state, how two states merge, and how a state ends in a value.
//
// The one invariant: a state is written byte for byte as ClickHouse writes the state
// of the same function, so that partials of the speed layer and of the batch layer
// merge with each other in either place.
package agg

import "github.com/millrace/millrace/internal/event"

// Function is an aggregate function bound to its parameters and argument types.
// It is immutable and safe for concurrent use; see Resolve.
type Function struct {
	Name   string       // as written, with its -If suffix: "quantileIf"
	Params []float64    // quantile's level; empty elsewhere
	Args   []event.Type // argument types, the condition of -If (Bool) last
	Result event.Type   // of Final

	// Batch is the function's name in ClickHouse, with parameters, without -State:
	// "quantileTDigestIf(0.95)". StateType is its state column's type there:
	// "AggregateFunction(quantileTDigestIf(0.95), Float64, UInt8)".
	Batch     string
	StateType string

	newStates func() States
}

// NewStates returns an empty column of states of the function.
func (f *Function) NewStates() States { return f.newStates() }

// States is a column of aggregation states, one for each group 0..Len-1. It is not
// safe for concurrent use.
type States interface {
	// Grow makes the column n groups long; new groups are empty states.
	Grow(n int)
	// Update adds row i of args to the state of groups[i], for every i. args are the
	// function's arguments, all of len(groups) rows.
	Update(groups []uint32, args []*event.Vector)
	// Merge decodes one state from the front of b, merges it into group g and returns
	// what follows it in b. b may come from either layer; a malformed state is an error
	// and leaves the group as it was.
	Merge(g uint32, b []byte) (rest []byte, err error)
	// Append writes the state of group g to dst in ClickHouse's format.
	Append(dst []byte, g uint32) []byte
	// Final appends the value of group g to out, whose type is the function's Result.
	Final(out *event.Vector, g uint32)
	// Reset drops all groups and keeps the memory.
	Reset()
}
