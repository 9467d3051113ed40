package plan

import (
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/event"
)

// The times that a constant may name, in seconds since 1970.
const (
	firstTime int64 = -2208988800 // 1900-01-01 00:00:00, where ClickHouse's calendar begins
	lastTime  int64 = 10413791999 // 2299-12-31 23:59:59
	lastNano  int64 = 9223372035  // 2262-04-11 23:47:15, with a fraction of nanoseconds
)

// parseTime reads YYYY-MM-DD, for DateTime64 also with hh:mm:ss and a fraction behind a
// space or a T. ClickHouse reads more, and some of it in surprising ways (February 30);
// that is refused.
func parseTime(s string, t valueType) (int64, error) {
	day, clock := s, ""
	if len(s) > len(time.DateOnly) && (s[len(time.DateOnly)] == ' ' || s[len(time.DateOnly)] == 'T') {
		day, clock = s[:len(time.DateOnly)], s[len(time.DateOnly)+1:]
	}
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time", shorten(s))
	}
	if t.base == date {
		days := d.Unix() / secondsPerDay
		if clock != "" || d.Unix() < 0 || days > maxDate {
			return 0, fmt.Errorf("%q is not a Date, a day from 1970-01-01 to 2149-06-06", shorten(s))
		}
		return days, nil
	}
	seconds, fraction := d.Unix(), ""
	if clock != "" {
		clock, fraction, _ = strings.Cut(clock, ".")
		c, err := time.Parse(time.TimeOnly, clock)
		if err != nil || len(clock) != len(time.TimeOnly) || strings.Trim(fraction, "0123456789") != "" || strings.HasSuffix(s, ".") {
			return 0, fmt.Errorf("%q is not a time", shorten(s))
		}
		seconds += int64(c.Hour()*3600 + c.Minute()*60 + c.Second())
	}
	last := lastTime
	if t.precision == event.MaxPrecision {
		last = lastNano
	}
	if t.base == dateTime {
		last = 1<<32 - 1
	}
	if seconds < firstTime || seconds > last || t.base == dateTime && seconds < 0 {
		return 0, fmt.Errorf("%q is outside of the years of %s", shorten(s), t.notNull().name())
	}
	v := seconds
	for i := range int(t.precision) {
		v *= 10
		if i < len(fraction) {
			v += int64(fraction[i] - '0')
		}
	}
	return v, nil
}

// appendDate writes a day since 1970 as YYYY-MM-DD.
func appendDate(dst []byte, day int64) []byte {
	return calendar(day*secondsPerDay).AppendFormat(dst, time.DateOnly)
}

// appendTime writes a time as YYYY-MM-DD hh:mm:ss and as many digits as it has.
func appendTime(dst []byte, v int64, precision int) []byte {
	ticks := event.Pow10[precision]
	seconds := event.FloorDiv(v, ticks)
	dst = calendar(seconds).AppendFormat(dst, time.DateTime)
	if precision == 0 {
		return dst
	}
	dst = append(dst, '.')
	fraction := v - seconds*ticks
	for p := precision - 1; p >= 0; p-- {
		dst = append(dst, '0'+byte(fraction/event.Pow10[p]%10))
	}
	return dst
}
