package plan

import (
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/scalar"
)

const (
	groupJSON   = "JSON"
	exampleJSON = `'{"a": {"b": [1, 2.5, "x"]}, "ok": true}'`
	jsonPath    = " The path is constants: names of members, and places of elements or members, from 1, or from the end where negative."
)

var jsonFunctions = []Function{
	jsonFunction("JSONHas", "'a', 'b', -1", "1", "1 where there is a value at the path.", logical,
		jsonRows(u8, func([]byte) uint8 { return 1 })),
	jsonFunction("JSONLength", "'a', 'b'", "3", "How many elements or members an array or object has; 0 of any other value.", uint64s,
		jsonRows(u64, scalar.JSONLength)),
	jsonFunction("JSONExtractInt", "'a', 'b', 1", "1", "A number, or the one in a string, cut to Int64; 0 where there is none, or it has no room.", int64s,
		jsonRows(i64, scalar.JSONInt)),
	jsonFunction("JSONExtractUInt", "'a', 'b', 2", "2", "A number, or the one in a string, cut to UInt64; 0 where there is none, or it has no room.", uint64s,
		jsonRows(u64, scalar.JSONUint)),
	jsonFunction("JSONExtractFloat", "'a', 'b', 2", "2.5", "A number, or the one in a string, as Float64; 0 where there is none.", float64s,
		jsonRows(f64, scalar.JSONFloat)),
	jsonFunction("JSONExtractBool", "'ok'", "1", "1 where the value is true, or a whole number other than 0.", logical,
		jsonRows(u8, func(v []byte) uint8 { return truth(scalar.JSONBool(v)) })),
	jsonText("JSONExtractString", "'a', 'b', 3", "x", "The text of a string; any other value as JSON, and empty of null.",
		scalar.AppendJSONText),
	jsonText("JSONExtractRaw", "'a', 'b'", `[1,2.5,"x"]`, "The value as JSON without spaces.",
		scalar.AppendJSON),
	{
		Name: "JSONType", Group: groupJSON, Usage: "JSONType(json, path…)", Min: 1, Max: -1,
		Doc:     "Null, String, Array, Bool, Double, Int64, UInt64 or Object, as String; Null where there is no value." + jsonPath,
		Example: "JSONType(" + exampleJSON + ", 'a', 'b')", Result: "Array",
		bind: jsonType,
	},
	{
		Name: "isValidJSON", Group: groupJSON, Usage: "isValidJSON(s)", Min: 1, Max: 1,
		Doc:     "1 where s is one JSON value.",
		Example: "isValidJSON('[1, 2')", Result: "0",
		bind: takes(logical, textOf(u8, func(s []byte) uint8 { return truth(scalar.ValidJSON(s)) }), aText),
	},
}

// jsonFunction is an entry of a function of the value at a path; where there is none it
// is the type's zero.
func jsonFunction(name, path, result, doc string, typ base, run func(path []scalar.JSONStep) kernel) Function {
	return Function{
		Name: name, Group: groupJSON, Usage: name + "(json, path…)", Min: 1, Max: -1,
		Doc: doc + jsonPath, Example: name + "(" + exampleJSON + ", " + path + ")", Result: result,
		bind: func(c *call) (binding, error) {
			steps, err := c.jsonPath()
			if err != nil {
				return binding{}, err
			}
			return binding{typ: valueType{base: typ}, run: run(steps)}, nil
		},
	}
}

func jsonRows[T any](to slot[T], f func(value []byte) T) func(path []scalar.JSONStep) kernel {
	return func(path []scalar.JSONStep) kernel {
		return func(out *event.Vector, args []operand, rows int) {
			dst := to.sized(out, rows)
			for i := range dst {
				var v T
				if value, ok := scalar.FindJSON(args[0].bytes(i), path); ok {
					v = f(value)
				}
				dst[i] = v
			}
		}
	}
}

func jsonText(name, path, result, doc string, f func(dst, value []byte) []byte) Function {
	fn := jsonFunction(name, path, result, doc, text, nil)
	fn.bind = func(c *call) (binding, error) {
		steps, err := c.jsonPath()
		if err != nil {
			return binding{}, err
		}
		return textRows(func(dst []byte, args []operand, i int) []byte {
			if value, ok := scalar.FindJSON(args[0].bytes(i), steps); ok {
				dst = f(dst, value)
			}
			return dst
		}), nil
	}
	return fn
}

// jsonPath takes the constants behind the first argument.
func (c *call) jsonPath() ([]scalar.JSONStep, error) {
	if err := c.check(0, aText); err != nil {
		return nil, err
	}
	var path []scalar.JSONStep
	for i, a := range c.args[1:] {
		if a.typ.base == text {
			name, err := c.constantText(i + 1)
			if err != nil {
				return nil, err
			}
			path = append(path, scalar.JSONStep{Name: append([]byte{}, name...)})
			continue
		}
		place, err := c.constantInt(i+1, -maxOffset, maxOffset)
		if err != nil {
			return nil, err
		}
		path = append(path, scalar.JSONStep{Place: place})
	}
	c.args = c.args[:1]
	return path, nil
}

func jsonType(c *call) (binding, error) {
	c.text = "CAST(" + prefixed(c.name, c.args) + " AS String)"
	steps, err := c.jsonPath()
	if err != nil {
		return binding{}, err
	}
	if c.args[0].typ.nullable {
		return binding{}, refuse(c.args[0].pos, "use ifNull(json, '')", "JSONType takes a String that is not Nullable")
	}
	return textRows(func(dst []byte, args []operand, i int) []byte {
		if value, ok := scalar.FindJSON(args[0].bytes(i), steps); ok {
			return append(dst, scalar.JSONType(value)...)
		}
		return append(dst, "Null"...)
	}), nil
}
