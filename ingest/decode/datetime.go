package decode

import (
	"math"
	"math/bits"

	"github.com/millrace/millrace/internal/event"
)

const (
	secondsPerDay = 86400
	// minSecond and maxSecond are ClickHouse's range of DateTime64: 1900-01-01 00:00:00
	// to 2299-12-31 23:59:59.
	minSecond = -2208988800
	maxSecond = 10413791999
	maxDate   = 65535 // 2149-06-06, the last day of ClickHouse's Date
)

// A bare number is seconds since 1970, unless it is too large to mean seconds: then it
// is milliseconds, microseconds or nanoseconds. As seconds, 10^11 is the year 5138.
const (
	fromMillis = 100_000_000_000
	fromMicros = 100_000_000_000_000
	fromNanos  = 100_000_000_000_000_000
)

// instant is a moment: seconds since 1970 and 0 ≤ nanos < 10^9 after them.
type instant struct {
	sec   int64
	nanos int64
}

// inRange reports whether a DateTime64 can hold the moment.
func (t instant) inRange() bool { return t.sec >= minSecond && t.sec <= maxSecond }

// ticks returns the moment in units of 10^-precision s, rounded down; false where that
// does not fit in 64 bits.
func (t instant) ticks(precision uint8) (int64, bool) {
	scale := event.Pow10[precision]
	hi, lo := bits.Mul64(uint64(max(t.sec, -t.sec)), uint64(scale))
	if hi != 0 || lo > math.MaxInt64 {
		return 0, false
	}
	whole := t.sec * scale
	v := whole + t.nanos/event.Pow10[event.MaxPrecision-precision]
	return v, v >= whole
}

// days returns the day of the moment; false where a Date cannot hold it.
func (t instant) days() (int64, bool) {
	d := event.FloorDiv(t.sec, secondsPerDay)
	return d, d >= 0 && d <= maxDate
}

// parseTime reads a date, or a date and time, with - or / in the date, T or a space
// between, seconds, fraction and zone optional (UTC where there is none). A second of 60
// is the first one of the next minute.
func parseTime(b []byte) (t instant, ok bool) {
	if len(b) < 10 || b[4] != b[7] || (b[4] != '-' && b[4] != '/') {
		return t, false
	}
	year, ok1 := digits2(b, 0)
	y2, ok2 := digits2(b, 2)
	month, ok3 := digits2(b, 5)
	day, ok4 := digits2(b, 8)
	year = year*100 + y2
	if !ok1 || !ok2 || !ok3 || !ok4 || year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return t, false
	}
	t.sec = daysFromCivil(year, month, day) * secondsPerDay
	if len(b) == 10 {
		return t, true
	}
	if len(b) < 16 || (b[10] != 'T' && b[10] != ' ' && b[10] != 't') || b[13] != ':' {
		return t, false
	}
	hour, ok1 := digits2(b, 11)
	minute, ok2 := digits2(b, 14)
	if !ok1 || !ok2 || hour > 23 || minute > 59 {
		return t, false
	}
	t.sec += hour*3600 + minute*60
	i := 16
	if i+2 < len(b) && b[i] == ':' {
		second, ok := digits2(b, i+1)
		if !ok || second > 60 {
			return t, false
		}
		t.sec += second
		i += 3
		if i < len(b) && b[i] == '.' {
			i++
			from, scale := i, int64(1e8)
			for ; i < len(b) && b[i]-'0' <= 9; i++ {
				t.nanos += int64(b[i]-'0') * scale
				scale /= 10
			}
			if i == from {
				return t, false
			}
		}
	}
	offset, ok := parseZone(b[i:])
	t.sec -= offset
	return t, ok
}

// parseZone reads nothing, Z, ±hh, ±hhmm or ±hh:mm and returns seconds east of UTC.
func parseZone(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) == 1 && b[0]|0x20 == 'z' {
		return 0, true
	}
	if len(b) < 3 || (b[0] != '+' && b[0] != '-') {
		return 0, false
	}
	hours, ok1 := digits2(b, 1)
	minutes, ok2 := int64(0), true
	switch {
	case len(b) == 3:
	case len(b) == 5:
		minutes, ok2 = digits2(b, 3)
	case len(b) == 6 && b[3] == ':':
		minutes, ok2 = digits2(b, 4)
	default:
		return 0, false
	}
	if !ok1 || !ok2 || hours > 23 || minutes > 59 {
		return 0, false
	}
	offset := hours*3600 + minutes*60
	if b[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// digits2 reads two digits at b[i:], which must be there.
func digits2(b []byte, i int) (int64, bool) {
	hi, lo := b[i]-'0', b[i+1]-'0'
	return int64(hi)*10 + int64(lo), hi <= 9 && lo <= 9
}

var monthDays = [13]int64{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

func daysIn(year, month int64) int64 {
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		return 29
	}
	return monthDays[month]
}

// daysFromCivil counts the days since 1970-01-01 of a Gregorian date with year ≥ 1
// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
func daysFromCivil(y, m, d int64) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return era*146097 + doe - 719468
}

// unixTime reads a number as a moment: seconds since 1970, or a finer unit by magnitude.
func unixTime(n number) (t instant, ok bool) {
	whole, _, ok := n.split(0)
	if !ok {
		return t, false
	}
	unit := 0
	switch {
	case whole >= fromNanos:
		unit = 9
	case whole >= fromMicros:
		unit = 6
	case whole >= fromMillis:
		unit = 3
	}
	sec, nanos, ok := n.split(unit)
	if !ok || sec > 2*maxSecond {
		return t, false
	}
	t = instant{sec: int64(sec), nanos: int64(nanos)}
	if n.neg {
		t.sec = -t.sec
		if t.nanos > 0 {
			t.sec--
			t.nanos = 1e9 - t.nanos
		}
	}
	return t, true
}

// split returns |n| / 10^shift as a whole part and nanos of a unit. What is finer than a
// nano is rounded towards the past: down, or up where n is negative.
func (n number) split(shift int) (whole, nanos uint64, ok bool) {
	e := n.exp - shift
	if e >= 0 {
		m := number{mant: n.mant, exp: e}
		whole, ok = m.magnitude()
		return whole, 0, ok
	}
	whole, rest := divPow10(n.mant, -e)
	finer := n.cut
	if -e <= 9 {
		nanos = rest * uint64(event.Pow10[9+e])
	} else {
		var below uint64
		nanos, below = divPow10(rest, -e-9)
		finer = finer || below != 0
	}
	if n.neg && finer {
		if nanos++; nanos == 1e9 {
			whole, nanos = whole+1, 0
		}
	}
	return whole, nanos, true
}

// divPow10 divides by 10^k, k ≥ 0 of any size.
func divPow10(v uint64, k int) (quotient, rest uint64) {
	if k > 19 {
		return 0, v
	}
	p := uint64(1e19)
	if k < 19 {
		p = uint64(event.Pow10[k])
	}
	return v / p, v % p
}
