package agg

import (
	"fmt"

	"github.com/millrace/millrace/internal/event"
)

// flagByte is the byte that ClickHouse's Null adapter writes before a state.
type flagByte uint8

const (
	noFlag    flagByte = iota // none
	constFlag                 // always 1: the result is not Nullable, yet an argument is
	seenFlag                  // 1 once a row was taken; else 0, no state follows, the result is NULL
)

// adapter drops the rows that an aggregate must not see, those whose condition is not
// true (-If) and those with a null argument, and hands the others on. Where nothing is
// dropped, which is the usual case, the batch passes through as it is.
type adapter struct {
	core      States
	condition bool // the last argument is the condition of -If
	flag      flagByte
	seen      []uint8 // seenFlag only, by group

	// Scratch: the rows kept of one batch, their groups and their values.
	rows   []uint32
	groups []uint32
	values []event.Vector
	args   []*event.Vector
}

func (a *adapter) Grow(n int) {
	a.core.Grow(n)
	if a.flag == seenFlag {
		a.seen = resized(a.seen, n)
	}
}

func (a *adapter) Reset() {
	a.core.Reset()
	a.seen = a.seen[:0]
}

func (a *adapter) Update(groups []uint32, args []*event.Vector) {
	var condition *event.Vector
	if a.condition {
		last := len(args) - 1
		condition, args = args[last], args[:last]
	}
	if kept := a.keep(len(groups), condition, args); len(kept) < len(groups) {
		groups, args = a.pick(groups, kept), a.pickValues(args, kept)
	}
	if a.flag == seenFlag {
		for _, g := range groups {
			a.seen[g] = 1
		}
	}
	a.core.Update(groups, args)
}

// keep lists the rows whose condition is true and of which no value is null.
func (a *adapter) keep(n int, condition *event.Vector, values []*event.Vector) []uint32 {
	rows := resized(a.rows[:0], n)
	a.rows = rows
	for i := range rows {
		rows[i] = uint32(i)
	}
	if condition != nil {
		rows = only(rows, condition.U8, 1)
		rows = only(rows, condition.Nulls, 0)
	}
	for _, v := range values {
		rows = only(rows, v.Nulls, 0)
	}
	return rows
}

// only drops the rows at which flags, if any, are not as wanted. It does not branch on
// them, since a processor cannot predict them.
func only(rows []uint32, flags []uint8, wanted uint8) []uint32 {
	if len(flags) == 0 {
		return rows
	}
	kept := 0
	for _, r := range rows {
		rows[kept] = r
		kept += int(^(flags[r] ^ wanted) & 1)
	}
	return rows[:kept]
}

func (a *adapter) pick(groups, rows []uint32) []uint32 {
	a.groups = a.groups[:0]
	for _, r := range rows {
		a.groups = append(a.groups, groups[r])
	}
	return a.groups
}

func (a *adapter) pickValues(args []*event.Vector, rows []uint32) []*event.Vector {
	a.values, a.args = resized(a.values, len(args)), a.args[:0]
	for i, from := range args {
		v := &a.values[i]
		v.Type = from.Type.NotNull()
		v.Reset()
		v.AppendRows(from, rows)
		a.args = append(a.args, v)
	}
	return a.args
}

func (a *adapter) Merge(g uint32, b []byte) ([]byte, error) {
	if a.flag == noFlag {
		return a.core.Merge(g, b)
	}
	flag, rest, err := readFixed(b, 1)
	if err != nil {
		return nil, err
	}
	if flag == 0 {
		return rest, nil
	}
	if flag != 1 {
		return nil, fmt.Errorf("state of a Nullable begins with the flag %d", flag)
	}
	rest, err = a.core.Merge(g, rest)
	if err == nil && a.flag == seenFlag {
		a.seen[g] = 1
	}
	return rest, err
}

func (a *adapter) Append(dst []byte, g uint32) []byte {
	switch a.flag {
	case seenFlag:
		if a.seen[g] == 0 {
			return append(dst, 0)
		}
		dst = append(dst, 1)
	case constFlag:
		dst = append(dst, 1)
	}
	return a.core.Append(dst, g)
}

func (a *adapter) Final(out *event.Vector, g uint32) {
	if a.flag == seenFlag && a.seen[g] == 0 {
		out.AppendZero(true)
		return
	}
	a.core.Final(out, g)
}
