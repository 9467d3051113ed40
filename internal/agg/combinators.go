package agg

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/internal/event"
)

const (
	distinctSuffix  = "Distinct"
	orNullSuffix    = "OrNull"
	orDefaultSuffix = "OrDefault"
	ifSuffix        = "If"
)

// combinatorNames are the suffixes of aggregate functions, in the order in which a name
// has them.
var combinatorNames = []string{distinctSuffix, orNullSuffix, orDefaultSuffix, ifSuffix}

// combinators are the suffixes of a name. ClickHouse applies the last one first: of
// sumDistinctOrNullIf, -If drops rows, -OrNull looks whether any is left, and -Distinct
// drops those that are equal.
type combinators struct {
	distinct  bool
	fill      fill
	condition bool
}

func (c combinators) suffix() string {
	s := ""
	if c.distinct {
		s += distinctSuffix
	}
	s += [...]string{noFill: "", orNull: orNullSuffix, orDefault: orDefaultSuffix}[c.fill]
	if c.condition {
		s += ifSuffix
	}
	return s
}

// Conditional reports whether the last argument of a function of that name is the
// condition of -If.
func Conditional(name string) bool { return strings.HasSuffix(name, ifSuffix) }

// lookup finds the function of a name, and its combinators.
func lookup(name string) (base, combinators, error) {
	if b, ok := bases[name]; ok {
		return b, combinators{}, nil
	}
	var with combinators
	stem, condition := strings.CutSuffix(name, ifSuffix)
	with.condition = condition
	if s, ok := strings.CutSuffix(stem, orNullSuffix); ok {
		stem, with.fill = s, orNull
	} else if s, ok := strings.CutSuffix(stem, orDefaultSuffix); ok {
		stem, with.fill = s, orDefault
	}
	stem, with.distinct = strings.CutSuffix(stem, distinctSuffix)
	if b, ok := bases[stem]; ok {
		return b, with, nil
	}
	if b, ok := bases[strings.ToLower(stem)]; ok && b.anyCase {
		return b, with, nil
	}
	if ordered, ok := inOrder(name); ok {
		return base{}, with, fmt.Errorf("%s has its suffixes in an order that is not taken: write %s", name, ordered)
	}
	return base{}, with, fmt.Errorf("unknown aggregate function %q; known are %s, each with the suffixes %s in this order",
		name, strings.Join(Known(), ", "), strings.Join(combinatorNames, ", "))
}

// inOrder returns a name that has the suffixes of another one, each once, in the order
// that is taken. In ClickHouse -OrNull behind -If counts the rows that -If drops, so that
// the group is never empty: nobody means that.
func inOrder(name string) (string, bool) {
	stem := stemOf(name)
	if _, ok := bases[stem]; !ok {
		return "", false
	}
	ordered, suffixes := stem, name[len(stem):]
	if strings.Contains(suffixes, orNullSuffix) && strings.Contains(suffixes, orDefaultSuffix) {
		return "", false
	}
	for _, c := range combinatorNames {
		if strings.Contains(suffixes, c) {
			ordered += c
		}
	}
	return ordered, len(ordered) == len(name)
}

// stemOf returns a name without its suffixes, whatever their order and case.
func stemOf(name string) string {
	for _, c := range combinatorNames {
		if n := len(name) - len(c); n > 0 && strings.EqualFold(name[n:], c) {
			return stemOf(name[:n])
		}
	}
	return name
}

// fill is what a group has as its value where no row was taken.
type fill uint8

const (
	noFill    fill = iota // what the function says
	orNull                // NULL
	orDefault             // the type's zero
)

// of wraps the kernel of a function.
func (f fill) of(k kernel) kernel {
	if f == noFill {
		return k
	}
	states := k.states
	if f == orNull {
		k.result = k.result.OrNull()
	}
	k.states = func() States { return &filled{core: states(), scratch: states(), null: f == orNull} }
	return k
}

// filled is -OrNull and -OrDefault. Its state is that of the function and then a byte: 1
// once a row was taken.
type filled struct {
	core States
	seen []uint8
	null bool

	scratch States // one group, to learn how long a state is before it is merged
}

func (f *filled) Grow(n int) {
	f.core.Grow(n)
	f.seen = resized(f.seen, n)
}

func (f *filled) Reset() {
	f.core.Reset()
	f.seen = f.seen[:0]
}

func (f *filled) Update(groups []uint32, args []*event.Vector) {
	for _, g := range groups {
		f.seen[g] = 1
	}
	f.core.Update(groups, args)
}

func (f *filled) Merge(g uint32, b []byte) ([]byte, error) {
	f.scratch.Reset()
	f.scratch.Grow(1)
	rest, err := f.scratch.Merge(0, b)
	if err != nil {
		return nil, err
	}
	seen, rest, err := readFixed(rest, 1)
	switch {
	case err != nil:
		return nil, err
	case seen > 1:
		return nil, fmt.Errorf("state of -OrNull or -OrDefault ends with %d where 0 or 1 says whether a row was taken", seen)
	case seen == 0:
		return rest, nil
	}
	if _, err := f.core.Merge(g, b); err != nil {
		return nil, err
	}
	f.seen[g] = 1
	return rest, nil
}

func (f *filled) Append(dst []byte, g uint32) []byte {
	return append(f.core.Append(dst, g), f.seen[g])
}

func (f *filled) Final(out *event.Vector, g uint32) {
	if f.seen[g] == 0 {
		out.AppendZero(f.null)
		return
	}
	f.core.Final(out, g)
}
