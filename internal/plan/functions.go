package plan

import (
	"slices"
	"strings"
)

// Function is an entry of the registry: one scalar function, everything about it.
type Function struct {
	Name    string   // ClickHouse's, as the text of a bound expression spells it
	Aliases []string // other spellings
	AnyCase bool     // whether case does not matter in the name, as in ClickHouse
	Group   string   // heading in docs/functions.md
	Usage   string   // "abs(x)"
	Doc     string   // one or two sentences: meaning, types, and what is refused
	Example string   // a constant expression, checked against both back ends
	Result  string   // its value, as toString shows it

	// Min and Max bound the number of arguments; Max -1: any number.
	Min, Max int

	// infix is the operator of the text: "+"; empty: name(arguments).
	infix string
	// syntax says which arguments are not values but syntax: lists, intervals, types.
	// The rule finds them in call.ast.
	syntax func(i int) bool
	// bind is the type rule; it chooses the kernel.
	bind rule
}

// rule checks the types of a call, converts its arguments for the kernel, and returns
// the type and the kernel of the result. Errors are *sql.Error.
type rule func(c *call) (binding, error)

// refusal says why ClickHouse's function of a name is not here and what to do instead.
type refusal struct{ why, hint string }

type functionTable struct {
	entries []Function
	names   []string // sorted, without aliases
	exact   map[string]int
	anyCase map[string]int
	refused map[string]refusal // by lower-case name
}

// registry is the list of all scalar functions.
var registry = newFunctionTable(
	arithmeticFunctions, roundingFunctions, mathFunctions, bitFunctions,
	comparisonFunctions, setFunctions, logicalFunctions, conditionalFunctions,
	stringFunctions, textFunctions, regexpFunctions, codecFunctions, urlFunctions, hashFunctions, jsonFunctions, timeFunctions, calendarFunctions, shiftFunctions(), castFunctions, narrowCasts(), parsers(),
)

// Functions returns all scalar functions in the order of the documentation.
func Functions() []Function { return slices.Clone(registry.entries) }

func newFunctionTable(groups ...[]Function) *functionTable {
	t := &functionTable{exact: map[string]int{}, anyCase: map[string]int{}, refused: refusedFunctions}
	for _, f := range slices.Concat(groups...) {
		i := len(t.entries)
		t.entries = append(t.entries, f)
		t.names = append(t.names, f.Name)
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			t.exact[name] = i
			if f.AnyCase {
				t.anyCase[strings.ToLower(name)] = i
			}
		}
	}
	slices.Sort(t.names)
	return t
}

// inAnyCase is an entry whose names ClickHouse takes in any case.
func inAnyCase(f Function) Function {
	f.AnyCase = true
	return f
}

func (t *functionTable) lookup(name string) (*Function, bool) {
	i, ok := t.exact[name]
	if !ok {
		i, ok = t.anyCase[strings.ToLower(name)]
	}
	if !ok {
		return nil, false
	}
	return &t.entries[i], true
}

// spell writes a call of f; operator says whether it is an operator's text.
func (f *Function) spell(args []*node) (text string, operator bool) {
	if f.infix == "" {
		return prefixed(f.Name, args), false
	}
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = a.operand()
	}
	return strings.Join(parts, " "+f.infix+" "), true
}

func prefixed(name string, args []*node) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = a.text
	}
	return name + "(" + strings.Join(parts, ", ") + ")"
}

// class is a set of types that an argument may have, with what it becomes for the kernel.
type class struct {
	name   string
	accept func(valueType) bool
	to     base // nothing: as it is
}

var (
	aText    = class{"a String", func(t valueType) bool { return t.base == text }, nothing}
	anInt    = class{"an integer", valueType.integer, nothing}
	aNumber  = class{"a number", valueType.numeric, nothing}
	aFloat   = class{"a number", valueType.numeric, float64s} // any number, as Float64
	anything = class{"a value", func(t valueType) bool { return t.base != nothing }, nothing}
)

// check refuses argument i unless it is of the class, and converts it.
func (c *call) check(i int, k class) error {
	a := c.args[i]
	if a.typ.base == nothing {
		return refuse(a.pos, "use isNull and ifNull for NULL", "%s of NULL is always NULL", c.name)
	}
	if !k.accept(a.typ) {
		return refuse(a.pos, "cast it, for example with toString or toInt64", "argument %d of %s must be %s, not %s", i+1, c.name, k.name, a.typ.name())
	}
	if k.to != nothing {
		c.args[i] = convert(a, valueType{base: k.to})
	}
	return nil
}

// takes is the rule of a function with arguments of the given classes, of which a call
// may leave out the last ones, and one result type.
func takes(result base, run kernel, classes ...class) rule {
	return func(c *call) (binding, error) {
		for i := range c.args {
			if err := c.check(i, classes[i]); err != nil {
				return binding{}, err
			}
		}
		return binding{typ: valueType{base: result}, run: run}, nil
	}
}

// textSize returns the bytes of an argument when it is written for every row.
func textSize(o operand, rows int) int {
	if o.constant {
		return rows * len(o.Str.Data)
	}
	return len(o.Str.Data)
}
