package agg

import (
	"errors"

	"github.com/millrace/millrace/internal/event"
)

// errHalfState refuses a state of argMin or argMax with one value of two.
var errHalfState = errors.New("state holds only one of the two values of argMin or argMax")

// argExtremes is argMin and argMax: the arg of the row whose by is best. Of rows whose by
// is equally good the least arg is kept, so that the result does not depend on the order
// of rows and merges here; ClickHouse keeps that of the row that it met first. NaN is
// worse than every other by.
//
// Its state is the two values, arg first, as those of min.
type argExtremes struct {
	sign int // of a comparison by which a row is better: 1 for argMax, -1 for argMin
	arg  singles
	by   singles

	mergedArg, mergedBy event.Vector // scratch: one value of a state
}

func bindArgMin(args []event.Type, _ []float64) (kernel, error) { return argExtreme(args, -1) }
func bindArgMax(args []event.Type, _ []float64) (kernel, error) { return argExtreme(args, 1) }

func argExtreme(args []event.Type, sign int) (kernel, error) {
	return kernel{args[0], func() States {
		return &argExtremes{
			sign: sign, arg: singles{kind: args[0].Kind}, by: singles{kind: args[1].Kind},
			mergedArg: event.Vector{Type: args[0]}, mergedBy: event.Vector{Type: args[1]},
		}
	}}, nil
}

func (a *argExtremes) Grow(n int) {
	a.arg.grow(n)
	a.by.grow(n)
}

func (a *argExtremes) Reset() {
	a.arg.reset()
	a.by.reset()
}

func (a *argExtremes) Update(groups []uint32, args []*event.Vector) {
	for i, g := range groups {
		a.offer(g, args[0], args[1], i)
	}
}

func (a *argExtremes) offer(g uint32, arg, by *event.Vector, i int) {
	if a.by.has[g] != 0 {
		switch c := a.rank(by, i, g); {
		case c < 0, c == 0 && a.arg.compare(arg, i, g) >= 0:
			return
		case c == 0:
			a.arg.set(g, arg, i)
			return
		}
	}
	a.arg.set(g, arg, i)
	a.by.set(g, by, i)
}

// rank compares row i of by with the best of group g: positive where it is better.
func (a *argExtremes) rank(by *event.Vector, i int, g uint32) int {
	c := a.by.compare(by, i, g)
	if a.by.kind == event.Float64 && a.sign < 0 && c != 0 {
		// compare has NaN below all, which would win here.
		x, best := by.F64[i], a.by.bits[g]
		if x != x || isNaN(best) {
			return c
		}
	}
	return c * a.sign
}

func isNaN(bits uint64) bool { return bits&^signBit > 0x7FF0000000000000 }

func (a *argExtremes) Merge(g uint32, b []byte) ([]byte, error) {
	a.mergedArg.Reset()
	a.mergedBy.Reset()
	hasArg, rest, err := readSingle(b, &a.mergedArg)
	if err != nil {
		return nil, err
	}
	hasBy, rest, err := readSingle(rest, &a.mergedBy)
	switch {
	case err != nil:
		return nil, err
	case hasArg != hasBy:
		return nil, errHalfState
	case hasBy:
		a.offer(g, &a.mergedArg, &a.mergedBy, 0)
	}
	return rest, nil
}

func (a *argExtremes) Append(dst []byte, g uint32) []byte {
	return a.by.appendState(a.arg.appendState(dst, g), g)
}

func (a *argExtremes) Final(out *event.Vector, g uint32) { a.arg.final(out, g) }
