package agg

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/event"
)

// kernel is what one aggregate function does with one choice of argument types: the
// result for values that are not null, and the states of it.
type kernel struct {
	result event.Type
	states func() States
}

// base is an aggregate function without combinators.
type base struct {
	anyCase bool   // the name is not case-sensitive, as in ClickHouse
	batch   string // ClickHouse's name
	takes   int    // how many values; count alone may also have none
	more    bool   // or more values than that
	params  paramRule
	// result is not Nullable even where an argument is.
	neverNull bool
	// bind chooses the kernel; args are not Nullable. It fails for types that the
	// function does not take.
	bind func(args []event.Type, params []float64) (kernel, error)
}

// Known returns the names of all aggregate functions without combinators, sorted.
func Known() []string {
	names := make([]string, 0, len(bases))
	for name := range bases {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Has reports whether a name is that of an aggregate function, with combinators or without;
// the case of its letters and the order of its suffixes are for Resolve to judge.
func Has(name string) bool {
	stem := stemOf(name)
	_, exact := bases[stem]
	return exact || lowerNames[strings.ToLower(stem)]
}

// lowerNames are the names of bases in lower case.
var lowerNames = func() map[string]bool {
	names := make(map[string]bool, len(bases))
	for name := range bases {
		names[strings.ToLower(name)] = true
	}
	return names
}()

// Resolve binds an aggregate function by its SQL name to parameters and argument types.
// The error says what to write instead, where that is known.
func Resolve(name string, params []float64, args []event.Type) (*Function, error) {
	b, with, err := lookup(name)
	if err != nil {
		return nil, err
	}
	params, err = b.params.check(name, params)
	if err != nil {
		return nil, err
	}
	values := args
	if with.condition {
		if len(args) == 0 || args[len(args)-1].Kind != event.Bool {
			return nil, fmt.Errorf("%s needs a condition of type Bool as its last argument", name)
		}
		values = args[:len(args)-1]
	}
	if err := b.count(name, len(values)); err != nil {
		return nil, err
	}
	plain := make([]event.Type, len(values))
	nullable := false
	for i, v := range values {
		plain[i] = v.Plain().NotNull()
		nullable = nullable || v.Nullable
	}
	k, err := b.bind(plain, params)
	if err != nil {
		return nil, wrongTypes(name, values, err)
	}
	if with.distinct {
		if k, err = distinctOf(k, plain); err != nil {
			return nil, wrongTypes(name, values, err)
		}
	}
	k = with.fill.of(k)

	f := &Function{Name: name, Params: params, Args: slices.Clone(args), Result: k.result, newStates: k.states}
	if nullable && !b.neverNull {
		f.Result = f.Result.OrNull()
	}
	f.Batch = b.batch + with.suffix() + paramText(params)
	f.StateType = stateType(f.Batch, args)
	if with.condition || nullable {
		flag := flagOf(b, with, nullable, args)
		f.newStates = func() States {
			return &adapter{core: k.states(), condition: with.condition, flag: flag}
		}
	}
	return f, nil
}

// count checks the number of values.
func (b base) count(name string, n int) error {
	switch {
	case n == b.takes, n > b.takes && b.more, n == 0 && b.batch == "count":
		return nil
	case b.takes == 1:
		return fmt.Errorf("%s takes one value, not %d", name, n)
	}
	return fmt.Errorf("%s takes %d values, not %d", name, b.takes, n)
}

// errTypes says no more than that the function does not take the types.
var errTypes = errors.New("no such types")

func wrongTypes(name string, values []event.Type, err error) error {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v.Plain().String()
	}
	if errors.Is(err, errTypes) {
		return fmt.Errorf("%s does not take values of type %s", name, strings.Join(texts, ", "))
	}
	return fmt.Errorf("%s does not take values of type %s: %w", name, strings.Join(texts, ", "), err)
}

// flagOf tells which flag byte ClickHouse writes before the state; found by asking the
// engine for every combination.
func flagOf(b base, with combinators, nullable bool, args []event.Type) flagByte {
	anyNullable := slices.ContainsFunc(args, func(t event.Type) bool { return t.Nullable })
	switch {
	case b.batch == "count" && with == combinators{}:
		return noFlag
	case b.neverNull && anyNullable:
		return constFlag
	case !nullable || b.neverNull:
		return noFlag
	case with.fill != orNull:
		return seenFlag
	case b.takes > 1 && !with.condition: // uniq and uniqExact are never NULL
		return constFlag
	}
	return noFlag
}

func stateType(batch string, args []event.Type) string {
	parts := []string{batch}
	for _, a := range args {
		parts = append(parts, a.Plain().String())
	}
	return "AggregateFunction(" + strings.Join(parts, ", ") + ")"
}

func paramText(params []float64) string {
	if len(params) == 0 {
		return ""
	}
	texts := make([]string, len(params))
	for i, p := range params {
		texts[i] = strconv.FormatFloat(p, 'g', -1, 64)
	}
	return "(" + strings.Join(texts, ", ") + ")"
}
