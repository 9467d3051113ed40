package agg

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/event"
)

const (
	ifSuffix     = "If"
	defaultLevel = 0.5 // of quantile without a parameter, as in ClickHouse
)

// kernel is what one aggregate function does with one type of argument: the result for
// a value that is not null, and the states of it.
type kernel struct {
	result event.Type
	states func() States
}

// base is an aggregate function without suffix.
type base struct {
	anyCase bool   // the name is not case-sensitive, as in ClickHouse
	batch   string // ClickHouse's name
	level   bool   // takes a quantile level
	// result is not Nullable even where an argument is.
	neverNull bool
	// bind chooses the kernel; arg is not Nullable. It reports false for a type that
	// the function does not take.
	bind func(arg event.Type, level float64) (kernel, bool)
}

var bases = map[string]base{
	"count":    {anyCase: true, batch: "count", neverNull: true, bind: bindCount},
	"sum":      {anyCase: true, batch: "sum", bind: bindSum},
	"avg":      {anyCase: true, batch: "avg", bind: bindAvg},
	"min":      {anyCase: true, batch: "min", bind: bindMin},
	"max":      {anyCase: true, batch: "max", bind: bindMax},
	"uniq":     {batch: "uniq", neverNull: true, bind: bindUniq},
	"quantile": {batch: "quantileTDigest", level: true, bind: bindQuantile},
}

// Known returns the names of all aggregate functions, sorted.
func Known() []string {
	names := make([]string, 0, 2*len(bases))
	for name := range bases {
		names = append(names, name, name+ifSuffix)
	}
	slices.Sort(names)
	return names
}

// Resolve binds an aggregate function by its SQL name to parameters and argument types.
// The error names what is known where the name is not.
func Resolve(name string, params []float64, args []event.Type) (*Function, error) {
	b, conditional, ok := lookup(name)
	if !ok {
		return nil, fmt.Errorf("unknown aggregate function %q; known are %s", name, strings.Join(Known(), ", "))
	}
	level, err := levelOf(name, b, params)
	if err != nil {
		return nil, err
	}
	values := args
	if conditional {
		if len(args) == 0 || args[len(args)-1].Kind != event.Bool {
			return nil, fmt.Errorf("%s needs a condition of type Bool as its last argument", name)
		}
		values = args[:len(args)-1]
	}
	optional := b.batch == "count"
	if len(values) > 1 || len(values) == 0 && !optional {
		return nil, fmt.Errorf("%s takes one value, not %d", name, len(values))
	}
	var arg event.Type
	if len(values) == 1 {
		arg = values[0].Plain()
	}
	k, ok := b.bind(arg.NotNull(), level)
	if !ok {
		return nil, fmt.Errorf("%s does not take values of type %s", name, arg)
	}
	f := &Function{Name: name, Args: slices.Clone(args), Result: k.result, Batch: b.batch}
	if arg.Nullable && !b.neverNull {
		f.Result = f.Result.OrNull()
	}
	if conditional {
		f.Batch += ifSuffix
	}
	if b.level {
		f.Params = []float64{level}
		f.Batch += "(" + strconv.FormatFloat(level, 'g', -1, 64) + ")"
	}
	f.StateType = stateType(f.Batch, args)
	f.newStates = k.states
	if conditional || arg.Nullable {
		flag := flagOf(b, conditional, arg, args)
		f.newStates = func() States {
			return &adapter{core: k.states(), condition: conditional, flag: flag}
		}
	}
	return f, nil
}

// lookup finds the function of a name, and whether it has the -If suffix.
func lookup(name string) (b base, conditional, ok bool) {
	if b, ok = bases[name]; ok {
		return b, false, true
	}
	stem, conditional := strings.CutSuffix(name, ifSuffix)
	if b, ok = bases[stem]; ok {
		return b, conditional, true
	}
	b, ok = bases[strings.ToLower(stem)]
	return b, conditional, ok && b.anyCase
}

func levelOf(name string, b base, params []float64) (float64, error) {
	switch {
	case !b.level && len(params) > 0:
		return 0, fmt.Errorf("%s takes no parameters", name)
	case len(params) == 0:
		return defaultLevel, nil
	case len(params) > 1:
		return 0, fmt.Errorf("%s takes one level, not %d", name, len(params))
	case !(params[0] >= 0 && params[0] <= 1):
		return 0, fmt.Errorf("%s has level %v; it must be from 0 to 1", name, params[0])
	}
	return params[0], nil
}

// flagOf tells which flag byte ClickHouse writes before the state; found by asking the
// engine for every combination.
func flagOf(b base, conditional bool, arg event.Type, args []event.Type) flagByte {
	nullable := slices.ContainsFunc(args, func(t event.Type) bool { return t.Nullable })
	switch {
	case b.batch == "count" && !conditional:
		return noFlag
	case b.neverNull && nullable:
		return constFlag
	case !b.neverNull && arg.Nullable:
		return seenFlag
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

func bindCount(event.Type, float64) (kernel, bool) {
	return kernel{event.Type{Kind: event.UInt64}, func() States { return &counts{} }}, true
}

func bindSum(arg event.Type, _ float64) (kernel, bool) {
	switch arg.Kind {
	case event.Bool:
		return kernel{event.Type{Kind: event.UInt64}, func() States {
			return &sums[uint8, uint64]{values: boolValues, acc: unsignedTotal}
		}}, true
	case event.Int64:
		return kernel{arg, func() States {
			return &sums[int64, int64]{values: int64Values, acc: signedTotal}
		}}, true
	case event.UInt64:
		return kernel{arg, func() States {
			return &sums[uint64, uint64]{values: uint64Values, acc: unsignedTotal}
		}}, true
	case event.Float64:
		return kernel{arg, func() States {
			return &sums[float64, float64]{values: float64Values, acc: floatTotal}
		}}, true
	}
	return kernel{}, false
}

func bindAvg(arg event.Type, _ float64) (kernel, bool) {
	k := kernel{result: event.Type{Kind: event.Float64}}
	switch arg.Kind {
	case event.Bool:
		k.states = func() States { return &averages[uint8, uint64]{values: boolValues, acc: unsignedTotal} }
	case event.Int64:
		k.states = func() States { return &averages[int64, int64]{values: int64Values, acc: signedTotal} }
	case event.UInt64:
		k.states = func() States { return &averages[uint64, uint64]{values: uint64Values, acc: unsignedTotal} }
	case event.Float64:
		k.states = func() States { return &averages[float64, float64]{values: float64Values, acc: floatTotal} }
	}
	return k, k.states != nil
}

func bindMin(arg event.Type, _ float64) (kernel, bool) {
	if arg.Kind == event.String {
		return kernel{arg, func() States { return &stringExtremes{sign: -1} }}, true
	}
	return kernel{arg, func() States { return &extremes{kind: arg.Kind, flip: ^uint64(0)} }}, arg.Kind != event.Invalid
}

func bindMax(arg event.Type, _ float64) (kernel, bool) {
	if arg.Kind == event.String {
		return kernel{arg, func() States { return &stringExtremes{sign: 1} }}, true
	}
	return kernel{arg, func() States { return &extremes{kind: arg.Kind} }}, arg.Kind != event.Invalid
}

func bindUniq(arg event.Type, _ float64) (kernel, bool) {
	return kernel{event.Type{Kind: event.UInt64}, func() States { return &uniques{kind: arg.Kind} }},
		arg.Kind != event.Invalid
}

func bindQuantile(arg event.Type, level float64) (kernel, bool) {
	return kernel{event.Type{Kind: event.Float64}, func() States {
		return &quantiles{kind: arg.Kind, level: level}
	}}, arg.Numeric()
}
