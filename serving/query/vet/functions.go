package vet

import (
	_ "embed"
	"strings"
	"sync"
)

// functionsText lists every function of the engine, one a line: "scalar", "aggregate" or
// "table"; the name; "any" where its case does not matter, else "exact"; "ok", or why it
// is refused. TestFunctionsAreClassified writes it anew from the engine and denied.go.
//
//go:embed functions.txt
var functionsText string

// verdict is what the list says of one function.
type verdict struct {
	anyCase bool
	reason  string // why it is refused; "" where it is not
}

// lists are the functions by name, and by name in lower case where case does not matter.
type lists struct {
	scalar, table map[string]verdict // scalar holds aggregates too
}

var functionLists = sync.OnceValue(func() lists {
	l := lists{scalar: map[string]verdict{}, table: map[string]verdict{}}
	for line := range strings.Lines(functionsText) {
		fields := strings.SplitN(strings.TrimSpace(line), " ", 4)
		if len(fields) < 4 {
			continue
		}
		into := l.scalar
		if fields[0] == "table" {
			into = l.table
		}
		v := verdict{anyCase: fields[2] == "any"}
		if fields[3] != "ok" {
			v.reason = fields[3]
		}
		into[fields[1]] = v
		if v.anyCase {
			into[strings.ToLower(fields[1])] = v
		}
	}
	return l
})

// find looks a name up as the engine does.
func find(list map[string]verdict, name string) (verdict, bool) {
	if v, ok := list[name]; ok {
		return v, true
	}
	v, ok := list[strings.ToLower(name)]
	return v, ok && v.anyCase
}

// combinators are the suffixes that make aggregate functions of aggregate functions.
var combinators = []string{
	"ArgMax", "ArgMin", "Array", "Distinct", "ForEach", "If", "Map", "Merge", "MergeState", "Null", "OrDefault", "OrNull",
	"Resample", "SimpleState", "State", "Tuple",
}

// findScalar looks a scalar or aggregate function up, combinators taken off.
func findScalar(name string) (verdict, bool) {
	list := functionLists().scalar
	if v, ok := find(list, name); ok {
		return v, true
	}
	for _, suffix := range combinators {
		if base, ok := strings.CutSuffix(name, suffix); ok && base != "" {
			if v, ok := findScalar(base); ok {
				return v, true
			}
		}
	}
	return verdict{}, false
}

// Function is a function that may be called.
type Function struct {
	Name string
	Kind string // scalar or aggregate
}

// Functions returns the scalar and aggregate functions that may be called.
func Functions() []Function {
	var out []Function
	for line := range strings.Lines(functionsText) {
		if f := strings.SplitN(strings.TrimSpace(line), " ", 4); len(f) == 4 && f[0] != "table" && f[3] == "ok" {
			out = append(out, Function{Name: f[1], Kind: f[0]})
		}
	}
	return out
}

// FunctionList returns their names as a list for IN.
func FunctionList() string {
	var names []string
	for _, f := range Functions() {
		names = append(names, "'"+f.Name+"'") // the engine's own names have no quotes
	}
	return strings.Join(names, ",")
}
