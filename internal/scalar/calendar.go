package scalar

import (
	"time"
)

const secondsPerDay = 86400

// floorDiv divides rounding towards negative infinity; b is positive.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Days returns the day since 1970 of a time in seconds.
func Days(seconds int64) int64 { return floorDiv(seconds, secondsPerDay) }

// Date is a day of the calendar.
type Date struct {
	Year       int64
	Month, Day int64 // from 1
}

// DateOf returns the calendar's date of a day since 1970.
func DateOf(day int64) Date {
	y, m, d := time.Unix(day*secondsPerDay, 0).UTC().Date()
	return Date{int64(y), int64(m), int64(d)}
}

// Days returns the day since 1970 of a date.
func (d Date) Days() int64 {
	return time.Date(int(d.Year), time.Month(d.Month), int(d.Day), 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay
}

// AddMonths moves a date by months; a day that the month has not becomes its last.
func (d Date) AddMonths(n int64) Date {
	months := d.Year*12 + d.Month - 1 + n
	d.Year = floorDiv(months, 12)
	d.Month = months - d.Year*12 + 1
	d.Day = min(d.Day, daysIn(d.Year, d.Month))
	return d
}

func daysIn(year, month int64) int64 {
	return int64(time.Date(int(year), time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day())
}

// LastOfMonth returns the last day of the day's month.
func LastOfMonth(day int64) int64 {
	d := DateOf(day)
	d.Day = daysIn(d.Year, d.Month)
	return d.Days()
}

// Weekday returns 0 (Monday) to 6.
func Weekday(day int64) int64 { return day + 3 - floorDiv(day+3, 7)*7 }

// RelativeWeek numbers weeks, which begin on Monday, by a time in seconds. The week before
// that of 1970-01-01 has its number too, as in ClickHouse.
func RelativeWeek(seconds int64) int64 {
	day := Days(seconds)
	monday := day + 7 - Weekday(day)
	if seconds < firstTabled {
		return floorDiv(monday, 7)
	}
	return monday / 7
}

// firstTabled is 1900-01-03, where the engine's table of weeks begins. It counts those
// before in another way.
const firstTabled int64 = -2208816000

// DayOfYear returns 1 to 366.
func DayOfYear(day int64) int64 {
	return day - Date{DateOf(day).Year, 1, 1}.Days() + 1
}

// ISOWeek returns the year and week of ISO 8601.
func ISOWeek(day int64) (year, week int64) {
	y, w := time.Unix(day*secondsPerDay, 0).UTC().ISOWeek()
	return int64(y), int64(w)
}

// StartOfISOYear returns the Monday of the year's first week.
func StartOfISOYear(day int64) int64 {
	year, _ := ISOWeek(day)
	fourth := Date{year, 1, 4}.Days()
	return fourth - Weekday(fourth)
}

// Week returns the year and week of a day by one of MySQL's modes, 0 to 7: bit 0 has weeks
// begin on Monday, bit 1 numbers the days before the first week by the year before (else
// they are week 0), bit 2 turns what the first week is: the first whole one, or the one
// with at least four days. withYear sets bit 1, as toYearWeek does.
func Week(day int64, mode int64, withYear bool) (year, week int64) {
	monday := mode&1 != 0
	byYear := mode&2 != 0 || withYear
	firstWhole := mode&4 != 0
	if !monday {
		firstWhole = !firstWhole
	}
	weekday := func(d int64) int64 { // of the week's first day on
		if monday {
			return Weekday(d)
		}
		return (Weekday(d) + 1) % 7
	}
	year = DateOf(day).Year
	first := Date{year, 1, 1}.Days()
	at := weekday(first)
	if DateOf(day).Month == 1 && DateOf(day).Day <= 7-at {
		if !byYear && (firstWhole && at != 0 || !firstWhole && at >= 4) {
			return year, 0
		}
		byYear = true
		if firstWhole && at != 0 || !firstWhole && at >= 4 {
			year--
			length := first - Date{year, 1, 1}.Days()
			first -= length
			at = (at + 53*7 - length) % 7
		}
	}
	var days int64
	if firstWhole && at != 0 || !firstWhole && at >= 4 {
		days = day - (first + 7 - at)
	} else {
		days = day - (first - at)
	}
	if byYear && days >= 52*7 {
		next := Date{year + 1, 1, 1}.Days()
		at = weekday(next)
		if !firstWhole && at < 4 || firstWhole && at == 0 {
			return year + 1, 1
		}
	}
	return year, days/7 + 1
}

// FormatTime appends a time by a format of MySQL's DATE_FORMAT, which ValidFormat has
// accepted.
func FormatTime(dst []byte, format string, seconds int64) []byte {
	t := time.Unix(seconds, 0).UTC()
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			dst = append(dst, format[i])
			continue
		}
		i++
		if layout, ok := formatLayouts[format[i]]; ok {
			dst = t.AppendFormat(dst, layout)
			continue
		}
		switch format[i] {
		case '%':
			dst = append(dst, '%')
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'e':
			dst = appendPadded(dst, int64(t.Day()), 1)
		case 'C':
			dst = appendPadded(dst, int64(t.Year()/100), 2)
		case 'j':
			dst = appendPadded(dst, int64(t.YearDay()), 3)
		case 'Q':
			dst = append(dst, '0'+byte(t.Month()+2)/3)
		case 'u':
			dst = append(dst, '1'+byte(t.Weekday()+6)%7)
		case 'w':
			dst = append(dst, '0'+byte(t.Weekday()))
		case 'G':
			year, _ := t.ISOWeek()
			dst = appendPadded(dst, int64(year), 4)
		case 'g':
			year, _ := t.ISOWeek()
			dst = appendPadded(dst, int64(year%100), 2)
		case 'V':
			_, week := t.ISOWeek()
			dst = appendPadded(dst, int64(week), 2)
		}
	}
	return dst
}

// formatLayouts are the placeholders that Go's layouts have too.
var formatLayouts = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'c': "01", 'd': "02", 'H': "15", 'k': "15", 'i': "04", 'S': "05", 's': "05", 'h': "03", 'I': "03", 'l': "03",
	'T': "15:04:05", 'R': "15:04", 'F': "2006-01-02", 'D': "01/02/06", 'r': "03:04 PM", 'p': "PM",
	'a': "Mon", 'b': "Jan", 'M': "January", 'W': "Monday",
}

// ValidFormat returns the first placeholder that FormatTime does not know, or nothing.
func ValidFormat(format string) (unknown string) {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		i++
		if i == len(format) {
			return "%"
		}
		const others = "%nteCjQuwGgV"
		found := formatLayouts[format[i]] != ""
		for j := range others {
			found = found || others[j] == format[i]
		}
		if !found {
			return format[i-1 : i+1]
		}
	}
	return ""
}

func appendPadded(dst []byte, v int64, width int) []byte {
	var b [20]byte
	at := len(b)
	for v > 0 || len(b)-at < width {
		at--
		b[at] = '0' + byte(v%10)
		v /= 10
	}
	return append(dst, b[at:]...)
}
