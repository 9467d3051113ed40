package plan

import (
	"math"
	"time"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

const (
	groupTime = "Dates and times"
	// What ClickHouse's narrower results do outside of their range.
	wraps    = " The result has 32 bits in ClickHouse: outside of 1970 to 2106 it wraps around, as there."
	saturate = " Outside of 1970-01-01 to 2149-06-06 the result is the nearer of the two."
)

var timeFunctions = []Function{
	{
		Name: "toStartOfSecond", Group: groupTime, Usage: "toStartOfSecond(t)", Min: 1, Max: 1,
		Doc:     "t, a DateTime64, without its fraction; of t's own precision.",
		Example: "toStartOfSecond(toDateTime64('2024-05-01 10:27:45.678', 3))", Result: "2024-05-01 10:27:45.000",
		bind: startOfSecond,
	},
	startOf("toStartOfMinute", "minute", "2024-05-01 10:27:00", 60),
	startOf("toStartOfFiveMinutes", "five minutes", "2024-05-01 10:25:00", 5*60),
	startOf("toStartOfTenMinutes", "ten minutes", "2024-05-01 10:20:00", 10*60),
	startOf("toStartOfFifteenMinutes", "fifteen minutes", "2024-05-01 10:15:00", 15*60),
	startOf("toStartOfHour", "hour", "2024-05-01 10:00:00", 3600),
	{
		Name: "toStartOfDay", Group: groupTime, Usage: "toStartOfDay(t)", Min: 1, Max: 1,
		Doc:     "Midnight before t, as DateTime64(0); t may be a Date." + wraps,
		Example: "toStartOfDay(" + exampleTime + ")", Result: "2024-05-01 00:00:00",
		bind: startOfTime(dateTime, aTime, func(s int64) int64 { return wrapTime(event.FloorDiv(s, secondsPerDay) * secondsPerDay) }),
	},
	startOfDays("toStartOfWeek", "The Sunday of t's week", "2024-04-28", func(day int64) int64 {
		return day - floorMod(day+4, 7) // 1970-01-01 was a Thursday
	}),
	startOfDays("toMonday", "The Monday of t's week", "2024-04-29", func(day int64) int64 {
		return day - floorMod(day+3, 7)
	}),
	startOfDays("toStartOfMonth", "The first day of t's month", "2024-05-01", startOfCalendar(Window{1, Month})),
	startOfDays("toStartOfQuarter", "The first day of t's quarter", "2024-04-01", startOfCalendar(Window{1, Quarter})),
	startOfDays("toStartOfYear", "The first day of t's year", "2024-01-01", startOfCalendar(Window{1, Year})),
	{
		Name: "toStartOfInterval", Group: groupTime, Usage: "toStartOfInterval(t, INTERVAL n unit)", Min: 2, Max: 2, syntax: isSecond,
		Doc:     "The start of the interval that holds t: DateTime64(0) for seconds to days, Date for weeks to years. Intervals that neither divide a day nor are whole days are refused. Results wrap around outside of their range, as in ClickHouse.",
		Example: "toStartOfInterval(" + exampleTime + ", INTERVAL 4 HOUR)", Result: "2024-05-01 08:00:00",
		bind: startOfInterval,
	},
	timePart("toSecond", "Second of the minute, 0 to 59.", "45", uint8s, aClock, func(s int64) uint64 { return uint64(floorMod(s, 60)) }),
	timePart("toMinute", "Minute of the hour, 0 to 59.", "27", uint8s, aClock, func(s int64) uint64 { return uint64(floorMod(s, 3600) / 60) }),
	timePart("toHour", "Hour of the day, 0 to 23.", "10", uint8s, aClock, func(s int64) uint64 { return uint64(floorMod(s, secondsPerDay) / 3600) }),
	timePart("toDayOfWeek", "Day of the week, 1 (Monday) to 7.", "3", uint8s, aTime, func(s int64) uint64 {
		return uint64(floorMod(event.FloorDiv(s, secondsPerDay)+3, 7) + 1)
	}),
	timePart("toDayOfMonth", "Day of the month, 1 to 31.", "1", uint8s, aTime, func(s int64) uint64 { return uint64(calendar(s).Day()) }),
	timePart("toMonth", "Month, 1 to 12.", "5", uint8s, aTime, func(s int64) uint64 { return uint64(calendar(s).Month()) }),
	timePart("toYear", "Year.", "2024", uint16s, aTime, func(s int64) uint64 { return uint64(calendar(s).Year()) }),
}

const exampleTime = "toDateTime64('2024-05-01 10:27:45.678', 3)"

var (
	aTime  = class{"a Date or DateTime64", valueType.temporal, nothing}
	aClock = class{"a DateTime64", func(t valueType) bool { return t.base == dateTime || t.base == dateTime64 }, nothing}
)

// startOf is an entry that rounds down to a part of an hour.
func startOf(name, what, result string, seconds int64) Function {
	return Function{
		Name: name, Group: groupTime, Usage: name + "(t)", Min: 1, Max: 1,
		Doc:     "The start of the " + what + " of t, as DateTime64(0)." + wraps,
		Example: name + "(" + exampleTime + ")", Result: result,
		bind: startOfTime(dateTime, aClock, func(s int64) int64 { return wrapTime(event.FloorDiv(s, seconds) * seconds) }),
	}
}

// startOfDays is an entry that rounds down to a day; start works on days since 1970.
func startOfDays(name, doc, result string, start func(day int64) int64) Function {
	return Function{
		Name: name, Group: groupTime, Usage: name + "(t)", Min: 1, Max: 1,
		Doc:     doc + ", as Date." + saturate,
		Example: name + "(" + exampleTime + ")", Result: result,
		bind: startOfTime(date, aTime, func(s int64) int64 {
			return min(max(start(event.FloorDiv(s, secondsPerDay)), 0), maxDate)
		}),
	}
}

// maxDate is the last day of a Date: 2149-06-06.
const maxDate = 1<<16 - 1

func startOfCalendar(w Window) func(day int64) int64 {
	return func(day int64) int64 { return w.Start(day*secondsPerDay) / secondsPerDay }
}

func timePart(name, doc, result string, typ base, k class, part func(s int64) uint64) Function {
	return Function{
		Name: name, Group: groupTime, Usage: name + "(t)", Min: 1, Max: 1,
		Doc: doc, Example: name + "(" + exampleTime + ")", Result: result,
		bind: partOfTime(typ, k, part),
	}
}

// partOfTime is the rule of a function of the seconds of its argument, rounded down.
func partOfTime(result base, k class, f func(seconds int64) uint64) rule {
	return ofTime(result, k, u64, event.FloorDiv, f)
}

// startOfTime is the rule of a function of the seconds of its argument, cut towards 1970:
// so ClickHouse reads a DateTime64 wherever it returns a narrower type.
func startOfTime(result base, k class, f func(seconds int64) int64) rule {
	return ofTime(result, k, i64, func(v, ticks int64) int64 { return v / ticks }, f)
}

func ofTime[R any](result base, k class, to slot[R], divide func(v, ticks int64) int64, f func(seconds int64) R) rule {
	return func(c *call) (binding, error) {
		if err := c.check(0, k); err != nil {
			return binding{}, err
		}
		t := c.args[0].typ
		ticks := t.ticks()
		run := map1(i64, to, func(v int64) R { return f(divide(v, ticks)) })
		switch {
		case t.base == date:
			run = map1(i64, to, func(v int64) R { return f(v * secondsPerDay) })
		case ticks == 1:
			run = map1(i64, to, f)
		}
		return binding{typ: valueType{base: result}, run: run}, nil
	}
}

func calendar(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

func floorMod(a, b int64) int64 { return a - event.FloorDiv(a, b)*b }

// wrapTime cuts seconds to ClickHouse's DateTime, of 32 bits.
func wrapTime(seconds int64) int64 { return seconds & (1<<32 - 1) }

func startOfSecond(c *call) (binding, error) {
	if err := c.check(0, class{"a DateTime64", func(t valueType) bool { return t.base == dateTime64 }, nothing}); err != nil {
		return binding{}, err
	}
	t := c.args[0].typ.notNull()
	ticks := t.ticks()
	return binding{typ: t, run: map1(i64, i64, func(v int64) int64 { return event.FloorDiv(v, ticks) * ticks })}, nil
}

func startOfInterval(c *call) (binding, error) {
	if err := c.check(0, aTime); err != nil {
		return binding{}, err
	}
	i, ok := c.ast[1].(*sql.Interval)
	if !ok {
		return binding{}, refuse(c.ast[1].Position(), "as in toStartOfInterval(ts, INTERVAL 5 MINUTE)", "the second argument of toStartOfInterval must be an interval")
	}
	w, err := newWindow(i)
	if err != nil {
		return binding{}, err
	}
	if c.args[0].typ.base == date && w.Unit <= Hour {
		return binding{}, refuse(i.Pos, "use a DateTime64", "a Date has no %ss", i.Unit)
	}
	c.text = "toStartOfInterval(" + c.args[0].text + ", " + i.String() + ")"
	c.args = c.args[:1]
	// An interval does not begin before ClickHouse's type does, or before its table of
	// days, which weeks of a DateTime64 do without.
	first := firstTime
	switch {
	case c.args[0].typ.base != dateTime64:
		first = 0
	case w.Unit == Week:
		first = math.MinInt64
	}
	start := func(s int64) int64 {
		if s < first {
			return w.Start(s)
		}
		return max(w.Start(s), first)
	}
	if w.Unit <= Day {
		return startOfTime(dateTime, aTime, func(s int64) int64 { return wrapTime(start(s)) })(c)
	}
	return startOfTime(date, aTime, func(s int64) int64 { return event.FloorDiv(start(s), secondsPerDay) & maxDate })(c)
}
