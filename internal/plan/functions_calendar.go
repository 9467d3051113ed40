package plan

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/scalar"
	"github.com/millrace/millrace/internal/sql"
)

var calendarFunctions = []Function{
	timePart("toQuarter", "Quarter, 1 to 4.", "2", uint8s, aTime, func(s int64) uint64 { return uint64(dateOf(s).Month+2) / 3 }),
	timePart("toDayOfYear", "Day of the year, 1 to 366.", "122", uint16s, aTime, func(s int64) uint64 { return uint64(scalar.DayOfYear(scalar.Days(s))) }),
	timePart("toISOYear", "Year of ISO 8601, which has whole weeks.", "2024", uint16s, aTime, func(s int64) uint64 {
		year, _ := scalar.ISOWeek(scalar.Days(s))
		return uint64(year)
	}),
	timePart("toISOWeek", "Week of ISO 8601, 1 to 53.", "18", uint8s, aTime, func(s int64) uint64 {
		_, week := scalar.ISOWeek(scalar.Days(s))
		return uint64(week)
	}),
	weekFunction("toWeek", uint8s, "17", "Week of the year, by one of MySQL's modes", func(day, mode int64) uint64 {
		_, week := scalar.Week(day, mode, false)
		return uint64(week)
	}),
	weekFunction("toYearWeek", uint32s, "202417", "Year and week as YYYYWW, by one of MySQL's modes", func(day, mode int64) uint64 {
		year, week := scalar.Week(day, mode, true)
		return uint64(year*100 + week)
	}),
	timePart("toYYYYMM", "Year and month as a number.", "202405", uint32s, aTime, func(s int64) uint64 {
		d := dateOf(s)
		return uint64(d.Year*100 + d.Month)
	}),
	timePart("toYYYYMMDD", "The date as a number.", "20240501", uint32s, aTime, dateNumber),
	timePart("toYYYYMMDDhhmmss", "Date and time as a number.", "20240501102745", uint64s, aTime, func(s int64) uint64 {
		clock := uint64(floorMod(s, secondsPerDay))
		return dateNumber(s)*1000000 + clock/3600*10000 + clock/60%60*100 + clock%60
	}),
	timePart("toDaysSinceYearZero", "Days since 0000-01-01.", "739372", uint32s, aTime, func(s int64) uint64 { return wrapUnsigned(uint64(scalar.Days(s)+719528), 32) }),
	timePart("toRelativeYearNum", "Year.", "2024", uint16s, aTime, func(s int64) uint64 { return uint64(dateOf(s).Year) }),
	timePart("toRelativeQuarterNum", "Quarters since year 0.", "8097", uint32s, aTime, func(s int64) uint64 {
		d := dateOf(s)
		return uint64(d.Year*4 + (d.Month-1)/3)
	}),
	timePart("toRelativeMonthNum", "Months since year 0, the first being 1.", "24293", uint32s, aTime, func(s int64) uint64 {
		d := dateOf(s)
		return wrapUnsigned(uint64(d.Year*12+d.Month), 16)
	}),
	relative("toRelativeWeekNum", "Mondays since 1970.", "2835", 16, scalar.RelativeWeek),
	relative("toRelativeDayNum", "Days since 1970.", "19844", 16, scalar.Days),
	relative("toRelativeHourNum", "Hours since 1970; a day more before it.", "476266", 32, func(s int64) int64 {
		if s < 0 {
			s += secondsPerDay
		}
		return event.FloorDiv(s, 3600)
	}),
	relative("toRelativeMinuteNum", "Minutes since 1970.", "28575987", 32, func(s int64) int64 { return event.FloorDiv(s, 60) }),
	relative("toRelativeSecondNum", "Seconds since 1970.", "1714559265", 32, func(s int64) int64 { return s }),
	movedDay("toStartOfISOYear", "The first day of t's ISO year", "2024-01-01", scalar.StartOfISOYear),
	movedDay("toLastDayOfMonth", "The last day of t's month", "2024-05-31", scalar.LastOfMonth),
	movedDay("toLastDayOfWeek", "The Saturday of t's week", "2024-05-04", func(day int64) int64 { return day + 6 - floorMod(day+4, 7) }),
	{
		Name: "timeSlot", Group: groupTime, Usage: "timeSlot(t)", Min: 1, Max: 1,
		Doc:     "The start of the half hour of t, as DateTime64(0); before 1970 its end." + wraps,
		Example: "timeSlot(" + exampleTime + ")", Result: "2024-05-01 10:00:00",
		bind: startOfTime(dateTime, aClock, func(s int64) int64 { return wrapTime(s / 1800 * 1800) }),
	},
	{
		Name: "toMillisecond", AnyCase: true, Group: groupTime, Usage: "toMillisecond(t)", Min: 1, Max: 1,
		Doc:     "Millisecond of the second, 0 to 999.",
		Example: "toMillisecond(" + exampleTime + ")", Result: "678",
		bind: millisecond,
	},
	unixTime("toUnixTimestamp64Second", "1714559265", "seconds", 0),
	unixTime("toUnixTimestamp64Milli", "1714559265678", "milliseconds", 3),
	unixTime("toUnixTimestamp64Micro", "1714559265678000", "microseconds", 6),
	{
		Name: "monthName", AnyCase: true, Group: groupTime, Usage: "monthName(t)", Min: 1, Max: 1,
		Doc:     "English name of the month.",
		Example: "monthName(" + exampleTime + ")", Result: "May",
		bind: func(c *call) (binding, error) { return timeText(c, "%M", cutDiv) },
	},
	{
		Name: "formatDateTime", Aliases: []string{"DATE_FORMAT"}, AnyCase: true, Group: groupTime, Usage: "formatDateTime(t, format)", Min: 2, Max: 2,
		Doc:     "t as text by a constant format of MySQL: %Y %y %m %c %d %e %H %k %h %I %l %i %S %s %p %a %W %b %M %j %u %w %Q %G %g %V %C %F %D %T %R %r %n %t %%.",
		Example: "formatDateTime(" + exampleTime + ", '%d/%m/%Y %H:%i')", Result: "01/05/2024 10:27",
		bind: formatDateTime,
	},
	{
		Name: "dateDiff", Aliases: []string{"date_diff", "DATE_DIFF", "timestampDiff", "timestamp_diff", "TIMESTAMP_DIFF"}, AnyCase: true, Group: groupTime,
		Usage: "dateDiff(unit, from, to)", Min: 3, Max: 3, syntax: func(i int) bool { return i == 0 },
		Doc:     "How many bounds of a unit, a constant from 'second' to 'year', lie between two times, Int64. Weeks begin on Monday.",
		Example: "dateDiff('month', toDate('2024-01-31'), toDate('2024-02-01'))", Result: "1",
		bind: dateDiff,
	},
}

func dateOf(seconds int64) scalar.Date { return scalar.DateOf(scalar.Days(seconds)) }

func dateNumber(s int64) uint64 {
	d := dateOf(s)
	return uint64(d.Year*10000 + d.Month*100 + d.Day)
}

// relative is an entry that counts units since 1970, of which ClickHouse keeps some bits.
func relative(name, doc, result string, bits int, count func(s int64) int64) Function {
	return timePart(name, fmt.Sprintf("%s The result has %d bits: before 1970 it wraps around, as in ClickHouse.", doc, bits), result, uint32s, aTime,
		func(s int64) uint64 { return wrapUnsigned(uint64(count(s)), bits) })
}

// movedDay is an entry of a day near t: of the nearest day that a Date has.
func movedDay(name, doc, result string, move func(day int64) int64) Function {
	return Function{
		Name: name, Group: groupTime, Usage: name + "(t)", Min: 1, Max: 1,
		Doc:     doc + ", as Date. Times outside of 1970-01-01 to 2149-06-06 count as the nearer of the two. Of a Date it wraps around behind the last, as in ClickHouse.",
		Example: name + "(" + exampleTime + ")", Result: result,
		bind: func(c *call) (binding, error) {
			if err := c.check(0, aTime); err != nil {
				return binding{}, err
			}
			moved := func(s int64) int64 { return max(move(scalar.Days(s)), 0) & maxDate }
			if c.args[0].typ.base == dateTime64 {
				moved = func(s int64) int64 { return min(max(move(min(scalar.Days(s), maxDate)), 0), maxDate) }
			}
			return ofTime(date, aTime, i64, event.FloorDiv, moved)(c)
		},
	}
}

// weekFunction is an entry with a mode of MySQL as second argument.
func weekFunction(name string, typ base, result, doc string, week func(day, mode int64) uint64) Function {
	return Function{
		Name: name, Group: groupTime, Usage: name + "(t[, mode])", Min: 1, Max: 2,
		Doc: doc + ", a constant from 0 to 7, 0 if none.", Example: name + "(" + exampleTime + ")", Result: result,
		bind: func(c *call) (binding, error) {
			mode := int64(0)
			if len(c.args) == 2 {
				var err error
				if mode, err = c.constantInt(1, 0, 7); err != nil {
					return binding{}, err
				}
				c.args = c.args[:1]
			}
			return partOfTime(typ, aTime, func(s int64) uint64 { return week(scalar.Days(s), mode) })(c)
		},
	}
}

var aFineTime = class{"a DateTime64", func(t valueType) bool { return t.base == dateTime64 }, nothing}

func millisecond(c *call) (binding, error) {
	if err := c.check(0, aFineTime); err != nil {
		return binding{}, err
	}
	ticks := c.args[0].typ.ticks()
	return binding{typ: valueType{base: uint16s}, run: map1(i64, u64, func(v int64) uint64 {
		fraction := floorMod(v, ticks)
		if ticks > 1000 {
			return uint64(fraction / (ticks / 1000))
		}
		return uint64(fraction * (1000 / ticks))
	})}, nil
}

// unixTime is an entry that gives a DateTime64 as Int64 in its own unit.
func unixTime(name, result, unit string, precision uint8) Function {
	return Function{
		Name: name, Group: groupTime, Usage: name + "(t)", Min: 1, Max: 1,
		Doc: "A DateTime64 as Int64 of " + unit + " since 1970, cut towards it.", Example: name + "(" + exampleTime + ")", Result: result,
		bind: func(c *call) (binding, error) {
			if err := c.check(0, aFineTime); err != nil {
				return binding{}, err
			}
			to, from := event.Pow10[precision], c.args[0].typ.ticks()
			return binding{typ: valueType{base: int64s}, run: map1(i64, i64, func(v int64) int64 {
				if to >= from {
					return v * (to / from)
				}
				return v / (from / to)
			})}, nil
		},
	}
}

func formatDateTime(c *call) (binding, error) {
	format, err := c.constantText(1)
	if err != nil {
		return binding{}, err
	}
	if unknown := scalar.ValidFormat(string(format)); unknown != "" {
		return binding{}, refuse(c.args[1].pos, "the known ones are in the list of functions", "%s is no placeholder that formatDateTime has here", unknown)
	}
	c.args = c.args[:1]
	return timeText(c, string(format), event.FloorDiv)
}

// cutDiv divides rounding towards zero.
func cutDiv(a, b int64) int64 { return a / b }

func timeText(c *call, format string, divide func(v, ticks int64) int64) (binding, error) {
	if err := c.check(0, aTime); err != nil {
		return binding{}, err
	}
	t := c.args[0].typ
	ticks, scale := t.ticks(), int64(1)
	if t.base == date {
		scale = secondsPerDay
	}
	return textRows(func(dst []byte, args []operand, i int) []byte {
		return scalar.FormatTime(dst, format, divide(args[0].I64[i&args[0].mask()], ticks)*scale)
	}), nil
}

func dateDiff(c *call) (binding, error) {
	l, ok := c.ast[0].(*sql.Literal)
	name, isText := "", false
	if ok {
		name, isText = l.Value.(string)
	}
	unit := unitOf(strings.ToLower(strings.TrimSuffix(name, "s")))
	if !isText || unit == NoUnit {
		return binding{}, refuse(c.ast[0].Position(), "as in dateDiff('day', a, b)", "the unit of dateDiff must be a constant from 'second' to 'year'")
	}
	c.args = c.args[1:]
	for i, a := range c.args {
		if !a.typ.temporal() {
			return binding{}, refuse(a.pos, "give it a Date or DateTime64", "argument %d of dateDiff must be a time, not %s", i+2, a.typ.name())
		}
		c.args[i] = secondsOf(a, unit)
	}
	c.text = fmt.Sprintf("dateDiff(%s, %s, %s)", sql.QuoteString(name), c.args[0].text, c.args[1].text)
	count := unitCount(unit)
	return binding{typ: valueType{base: int64s}, run: map2(i64, i64, i64, func(a, b int64) int64 { return count(b) - count(a) })}, nil
}

// secondsOf gives a time in whole seconds, rounded down. Where seconds are counted, those
// of a Date have 32 bits in ClickHouse.
func secondsOf(n *node, counted Unit) *node {
	ticks := n.typ.ticks()
	f := func(v int64) int64 { return event.FloorDiv(v, ticks) }
	switch {
	case n.typ.base == date && counted == Second:
		f = func(v int64) int64 { return wrapTime(v * secondsPerDay) }
	case n.typ.base == date:
		f = func(v int64) int64 { return v * secondsPerDay }
	}
	return mapArg(n, valueType{base: int64s}, map1(i64, i64, f))
}

// unitCount numbers the units of time, so that differences count the bounds between.
func unitCount(u Unit) func(seconds int64) int64 {
	switch u {
	case Week:
		return scalar.RelativeWeek
	case Month, Quarter, Year:
		months := unitMonths[u]
		return func(s int64) int64 {
			d := dateOf(s)
			return event.FloorDiv(d.Year*12+d.Month-1, months)
		}
	}
	length := unitSeconds[u]
	return func(s int64) int64 { return event.FloorDiv(s, length) }
}
