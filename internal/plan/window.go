package plan

import (
	"math"
	"time"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

// Window is the time bucket of a view's groups. Its starts are those of ClickHouse's
// toStartOfInterval.
type Window struct {
	N    int64
	Unit Unit
}

// Unit is a calendar unit of Window.
type Unit uint8

// Units, in ClickHouse's meaning; zones are UTC.
const (
	NoUnit Unit = iota
	Second
	Minute
	Hour
	Day
	Week
	Month
	Quarter
	Year
)

const secondsPerDay = 86400

// unitSeconds is the length of the units that have a fixed one.
var unitSeconds = [...]int64{Second: 1, Minute: 60, Hour: 3600, Day: secondsPerDay, Week: 7 * secondsPerDay}

// unitMonths is the length of the calendar's units.
var unitMonths = [...]int64{Month: 1, Quarter: 3, Year: 12}

// maxWindowDays limits a window's length: a century, in the shortest year's days.
const maxWindowDays = 36500

// mondayOffset is the first Monday after 1970-01-01, in seconds: weeks count from it.
const mondayOffset = 4 * secondsPerDay

// unitOf returns the unit that an interval names.
func unitOf(name string) Unit {
	names := [...]string{Second: "second", Minute: "minute", Hour: "hour", Day: "day", Week: "week", Month: "month", Quarter: "quarter", Year: "year"}
	for u, n := range names {
		if n == name && n != "" {
			return Unit(u)
		}
	}
	return NoUnit
}

// newWindow checks an interval's use as a window. Whole seconds, minutes and hours must
// divide a day, or be whole days, so that each window is a set of panes.
func newWindow(i *sql.Interval) (Window, error) {
	w := Window{N: i.N, Unit: unitOf(i.Unit)}
	days := w.N
	switch w.Unit {
	case NoUnit:
		return w, refuse(i.Pos, "", "%s is not a unit of windows", i.Unit)
	case Second, Minute, Hour:
		days = w.N / (secondsPerDay / unitSeconds[w.Unit])
	case Week:
		days *= 7
	case Month, Quarter, Year:
		days *= 30 * unitMonths[w.Unit]
	}
	if w.N < 1 || w.N > maxWindowDays*secondsPerDay || days > maxWindowDays {
		return w, refuse(i.Pos, "", "a window must be longer than nothing and at most a century")
	}
	if w.Unit == Hour && w.N > 24 {
		// In ClickHouse such hours begin again every day, so that they never get beyond it.
		return w, refuse(i.Pos, "write it in days, as in INTERVAL 2 DAY", "a window in hours is at most a day, and %s is longer", i)
	}
	if w.Unit <= Hour {
		if length := w.N * unitSeconds[w.Unit]; secondsPerDay%length != 0 && length%secondsPerDay != 0 {
			return w, refuse(i.Pos, "as 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 MINUTE do", "a window must divide a day or be whole days, and %s is neither", i)
		}
	}
	return w, nil
}

// pane returns the smallest slice, in seconds, that windows are sums of: the window
// itself where it divides a day, else a day.
func (w Window) pane() int64 {
	if w.Unit >= Second && w.Unit <= Hour {
		return min(w.N*unitSeconds[w.Unit], secondsPerDay)
	}
	return secondsPerDay
}

// Start returns the start of the window that holds t; both in seconds since 1970. Without
// a window all time is one group, which starts at 0.
func (w Window) Start(t int64) int64 {
	switch w.Unit {
	case Second, Minute, Hour, Day:
		length := w.N * unitSeconds[w.Unit]
		return event.FloorDiv(t, length) * length
	case Week:
		length := w.N * unitSeconds[Week]
		return event.FloorDiv(t-mondayOffset, length)*length + mondayOffset
	case Month, Quarter:
		// ClickHouse counts months from the start of its calendar, January 1900.
		const first = 1900 * 12
		year, month, _ := time.Unix(t, 0).UTC().Date()
		length := w.N * unitMonths[w.Unit]
		return startOfMonth(first + event.FloorDiv(int64(year)*12+int64(month)-1-first, length)*length)
	case Year:
		year := int64(time.Unix(t, 0).UTC().Year())
		return startOfMonth(event.FloorDiv(year, w.N) * w.N * 12)
	}
	return 0
}

// Next returns the start of the window after the one that starts at start.
func (w Window) Next(start int64) int64 {
	switch w.Unit {
	case Second, Minute, Hour, Day, Week:
		return start + w.N*unitSeconds[w.Unit]
	case Month, Quarter, Year:
		year, month, _ := time.Unix(start, 0).UTC().Date()
		return startOfMonth(int64(year)*12 + int64(month) - 1 + w.N*unitMonths[w.Unit])
	}
	return math.MaxInt64
}

// startOfMonth returns when the month begins that is the given number of months after
// January of year 0, in seconds since 1970.
func startOfMonth(months int64) int64 {
	year := event.FloorDiv(months, 12)
	return time.Date(int(year), time.Month(months-year*12+1), 1, 0, 0, 0, 0, time.UTC).Unix()
}
