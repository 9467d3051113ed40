package plan

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/internal/scalar"
	"github.com/millrace/millrace/internal/sql"
)

// maxShiftYears bounds by how far a time moves, so that it stays within its type.
const maxShiftYears = 100

// shiftFunctions are addSeconds … addYears and their opposites.
func shiftFunctions() []Function {
	var list []Function
	for _, sign := range []int64{1, -1} {
		verb, word, year := "add", "later", "2026"
		if sign < 0 {
			verb, word, year = "subtract", "earlier", "2022"
		}
		for u := Second; u <= Year; u++ {
			name := verb + shiftNames[u]
			example, result := name+"(toDate('2024-02-29'), 0)", "2024-02-29"
			switch {
			case u <= Hour:
				example, result = name+"(toDateTime64('2024-02-29 10:00:00', 0), 0)", "2024-02-29 10:00:00"
			case u == Year:
				example, result = name+"(toDate('2024-02-29'), 2)", year+"-02-28"
			}
			list = append(list, Function{
				Name: name, Group: groupTime, Usage: name + "(t, n)", Min: 2, Max: 2,
				Doc: fmt.Sprintf("t, %s by a constant number of %s, of at most %d years. Of t's type, in which it wraps around; a day that the month has not becomes its last.",
					word, strings.ToLower(shiftNames[u]), maxShiftYears),
				Example: example, Result: result,
				bind: shift(u, sign),
			})
		}
	}
	return list
}

var shiftNames = [...]string{Second: "Seconds", Minute: "Minutes", Hour: "Hours", Day: "Days", Week: "Weeks", Month: "Months", Quarter: "Quarters", Year: "Years"}

// shiftCall is t + INTERVAL n unit, or with minus t - INTERVAL n unit, as the function
// that it stands for.
func shiftCall(e *sql.Call) (*sql.Call, bool) {
	if e.Name != "plus" && e.Name != "minus" || len(e.Args) != 2 {
		return nil, false
	}
	time, interval := e.Args[0], e.Args[1]
	i, ok := interval.(*sql.Interval)
	if !ok && e.Name == "plus" {
		i, ok = time.(*sql.Interval)
		time = interval
	}
	if !ok || unitOf(i.Unit) == NoUnit {
		return nil, false
	}
	verb := "add"
	if e.Name == "minus" {
		verb = "subtract"
	}
	return &sql.Call{Pos: e.Pos, Name: verb + shiftNames[unitOf(i.Unit)], Args: []sql.Expr{time, &sql.Literal{Pos: i.Pos, Value: i.N}}}, true
}

func shift(u Unit, sign int64) rule {
	most := maxShiftYears * 365 * int64(secondsPerDay)
	if u <= Week {
		most /= unitSeconds[u]
	} else {
		most = maxShiftYears * 12 / unitMonths[u]
	}
	k := aTime
	if u <= Hour {
		k = aClock
	}
	return func(c *call) (binding, error) {
		if err := c.check(0, k); err != nil {
			return binding{}, err
		}
		n, err := c.constantInt(1, -most, most)
		if err != nil {
			return binding{}, err
		}
		n *= sign
		t := c.args[0].typ.notNull()
		if t.precision > safePrecision {
			return binding{}, refuse(c.args[0].pos, fmt.Sprintf("cast it to DateTime64(%d)", safePrecision), "%s has no room for all shifted times", t.name())
		}
		c.args = c.args[:1]
		return binding{typ: t, run: map1(i64, i64, shifter(t, u, n))}, nil
	}
}

// shifter moves a value of type t.
func shifter(t valueType, u Unit, n int64) func(v int64) int64 {
	move := func(s int64) int64 { return s + n*unitSeconds[u] }
	if u > Week {
		months := n * unitMonths[u]
		move = func(s int64) int64 {
			day := scalar.Days(s)
			return scalar.DateOf(day).AddMonths(months).Days()*secondsPerDay + s - day*secondsPerDay
		}
	}
	switch {
	case t.base == date && u <= Week:
		return func(v int64) int64 { return move(v*secondsPerDay) / secondsPerDay & maxDate }
	case t.base == date:
		return func(v int64) int64 { return max(move(v*secondsPerDay), 0) / secondsPerDay & maxDate }
	case t.base == dateTime && u <= Week:
		return func(v int64) int64 { return wrapTime(move(v)) }
	case t.base == dateTime:
		return func(v int64) int64 { return wrapTime(max(move(v), 0)) }
	}
	ticks := t.ticks()
	return func(v int64) int64 {
		// The fraction keeps its sign, and is not part of what moves.
		return move(v/ticks)*ticks + v%ticks
	}
}
