package render

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// kind is what a column's cells are to a reader.
type kind int

const (
	kindText kind = iota
	kindNumber
	kindDate
	kindTime
)

func (c Column) kind() kind {
	name, _ := baseType(c.Type)
	switch {
	case c.whole(), strings.HasPrefix(name, "Float"), name == "BFloat16", strings.HasPrefix(name, "Decimal"):
		return kindNumber
	case name == "Date", name == "Date32":
		return kindDate
	case name == "DateTime", name == "DateTime64":
		return kindTime
	}
	return kindText
}

// whole says that the column holds integers: counts and sums, which may be added up, where
// a fraction may as well be an average.
func (c Column) whole() bool {
	name, _ := baseType(c.Type)
	bits := strings.TrimPrefix(strings.TrimPrefix(name, "U"), "Int")
	_, err := strconv.Atoi(bits)
	return err == nil && bits != name
}

// Numbers that are drawn: the distance of two of them, and a tenth of one, are numbers too.
const greatestDrawn, leastDrawn = 1e300, 1e-300

// number returns a cell as a number to draw; false for NULL, text and what has no place on
// an axis (NaN, the infinities and numbers near the end of float64's range).
func number(cell any) (float64, bool) {
	var v float64
	switch c := cell.(type) {
	case int64:
		v = float64(c)
	case uint64:
		v = float64(c)
	case float64:
		v = c
	case string: // a decimal, or an integer of more than 64 bits
		parsed, err := strconv.ParseFloat(c, 64)
		if err != nil {
			return 0, false
		}
		v = parsed
	default:
		return 0, false
	}
	if math.Abs(v) < leastDrawn {
		v = 0
	}
	return v, math.Abs(v) <= greatestDrawn // which NaN is not
}

// null is what a person sees of NULL.
const null = "–"

// formatter writes the cells of one column for people: all with as many decimals and as
// much of the time of day as the column needs.
type formatter struct {
	column   Column
	zone     *time.Location
	decimals int
	layout   string
}

// maxDecimals is what a person sees of a fraction; workbooks and data formats have all of it.
const maxDecimals = 4

func newFormatter(t *Table, index int, zone *time.Location) formatter {
	f := formatter{column: t.Columns[index], zone: zone, layout: time.DateOnly}
	switch f.column.kind() {
	case kindNumber:
		for _, row := range t.Rows {
			f.decimals = max(f.decimals, decimalsOf(row[index]))
		}
	case kindTime:
		f.layout = timeLayout(t, index, zone)
	}
	return f
}

func decimalsOf(cell any) int {
	v, ok := cell.(float64)
	if !ok || !plain(v) {
		return 0
	}
	digits := maxDecimals
	if a := math.Abs(v); a >= 1000 {
		digits = 2
	}
	_, fraction, _ := strings.Cut(strconv.FormatFloat(v, 'f', digits, 64), ".")
	return len(strings.TrimRight(fraction, "0"))
}

// plain says that a float is written with a point and not with an exponent.
func plain(v float64) bool {
	a := math.Abs(v)
	return a == 0 || (a >= 1e-3 && a < 1e15)
}

// timeLayout leaves out seconds and fractions that no cell has, and adds the offset where
// the column spans a change of clocks.
func timeLayout(t *Table, index int, zone *time.Location) string {
	var seconds, fraction, moved bool
	offset, first := 0, true
	for _, row := range t.Rows {
		at, ok := row[index].(time.Time)
		if !ok {
			continue
		}
		at = at.In(zone)
		seconds = seconds || at.Second() != 0
		fraction = fraction || at.Nanosecond() != 0
		_, o := at.Zone()
		moved = moved || (!first && o != offset)
		offset, first = o, false
	}
	layout := "2006-01-02 15:04"
	switch {
	case fraction:
		layout += ":05.000"
	case seconds:
		layout += ":05"
	}
	if moved {
		layout += " -07:00"
	}
	return layout
}

// text returns a cell as a person reads it.
func (f formatter) text(cell any) string {
	switch c := cell.(type) {
	case nil:
		return null
	case bool:
		return strconv.FormatBool(c)
	case int64:
		return grouped(strconv.FormatInt(c, 10))
	case uint64:
		return grouped(strconv.FormatUint(c, 10))
	case float64:
		return f.float(c)
	case time.Time:
		if f.column.kind() == kindDate {
			return c.UTC().Format(time.DateOnly)
		}
		return c.In(f.zone).Format(f.layout)
	case string:
		if f.column.kind() == kindNumber {
			return grouped(c)
		}
		return c
	}
	return null
}

func (f formatter) float(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "∞"
	case math.IsInf(v, -1):
		return "−∞"
	case !plain(v):
		return minus(strconv.FormatFloat(v, 'g', maxDecimals, 64))
	}
	return grouped(strconv.FormatFloat(v, 'f', f.decimals, 64))
}

// grouped sets commas between thousands, from five digits on: four read well without, and
// years have four.
func grouped(digits string) string {
	whole, fraction, point := strings.Cut(digits, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "−", whole[1:]
	}
	if strings.Trim(whole, "0123456789") != "" {
		return digits
	}
	if len(whole) > 4 {
		var b strings.Builder
		for i, d := range whole {
			if i > 0 && (len(whole)-i)%3 == 0 {
				b.WriteByte(',')
			}
			b.WriteRune(d)
		}
		whole = b.String()
	}
	if point {
		whole += "." + fraction
	}
	return sign + whole
}

func minus(s string) string { return strings.ReplaceAll(s, "-", "−") }

// compact writes a number short, for axes and labels: 1.2 M.
func compact(v float64) string {
	units := []struct {
		size float64
		name string
	}{{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}}
	a := math.Abs(v)
	if a >= 1e15 || (a != 0 && a < 1e-3) {
		return minus(strconv.FormatFloat(v, 'g', 3, 64))
	}
	for _, u := range units {
		// A count below ten thousand is read whole, and what rounds to 1000 k is 1 M.
		if a >= u.size*0.9995 && a >= 9999.5 {
			return minus(significant(v/u.size)) + u.name
		}
	}
	if a >= 1000 {
		return grouped(strconv.FormatFloat(v, 'f', 0, 64))
	}
	return minus(significant(v))
}

// significant writes three significant digits, or all before the point.
func significant(v float64) string {
	a := math.Abs(v)
	digits := 0
	for limit := 100.0; a < limit && digits < 5 && v != 0; limit /= 10 {
		digits++
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// clean makes a string fit for XML, HTML and a page: invalid UTF-8 and characters that have no
// place in XML become the replacement character, so that one sees that something was there.
func clean(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return r
		case unicode.IsControl(r), r == '\uFFFE', r == '\uFFFF':
			return '\uFFFD'
		}
		return r
	}, s)
}

// oneLine is clean for a place of one line among others: white space becomes single spaces, and
// characters that turn the direction of what follows become visible.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069' {
			return '\uFFFD'
		}
		return r
	}, clean(s))
	return strings.Join(strings.Fields(s), " ")
}

// brief is a cell on one line of at most n characters; a number is never cut, as it would be
// another one.
func (f formatter) brief(cell any, n int) string {
	if f.column.kind() == kindNumber {
		n = maxNumber
	}
	return shorten(oneLine(f.text(cell)), n)
}

const (
	// maxNumber is longer than the text of every number.
	maxNumber = 200
	// maxName is how much of a name is read.
	maxName = 120
)

// nameOf is a name among other text.
func nameOf(s string) string { return shorten(oneLine(s), maxName) }

// shorten cuts a string to at most n characters, with an ellipsis.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
