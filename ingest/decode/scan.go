package decode

import (
	"unicode/utf8"

	"github.com/millrace/millrace/internal/event"
)

// slot predicts one key of the next row.
type slot struct {
	pattern []byte // "key": as it stood in the last row
	column  int32  // -1: undeclared
	own     []byte // memory of an undeclared pattern
}

// span is a part of the row's text.
type span struct{ from, to int }

// maxQuickExtras is the most undeclared fields of the quick path, which compares each
// with all others to find equal keys.
const maxQuickExtras = 24

// scanRow decodes the object at b[p] straight into the columns and returns the index
// after it. Whatever is unusual (an escaped or repeated key, a nested value in an
// undeclared field, a value that does not fit, any fault) makes it return -1, and the
// caller rolls back and takes the complete path, which finds out what it was.
func (d *Decoder) scanRow(b *event.Batch, text []byte, p int) int {
	d.stamp++
	d.extras = d.extras[:0]
	found := 0
	if p >= len(text) || text[p] != '{' {
		return -1
	}
	p = skipSpace(text, p+1)
	for i := 0; i < d.limits.MaxFields; i++ {
		var column int32
		if i < len(d.order) && hasPrefix(text[p:], d.order[i].pattern) {
			column = d.order[i].column
			if column < 0 && !d.newExtra(text, span{p, p + len(d.order[i].pattern) - 1}) {
				return -1
			}
			p += len(d.order[i].pattern)
		} else if column, p = d.key(text, p, i); p < 0 {
			return -1
		}
		if p < len(text) && text[p] <= ' ' {
			p = skipSpace(text, p)
		}
		if column < 0 {
			if p = d.scanExtra(b, text, p); p < 0 {
				return -1
			}
		} else {
			if d.seen[column] == d.stamp {
				return -1
			}
			d.seen[column] = d.stamp
			found++
			if p = scanValue(&b.Columns[column], text, p); p < 0 {
				return -1
			}
		}
		if p < len(text) && text[p] <= ' ' {
			p = skipSpace(text, p)
		}
		if p >= len(text) {
			return -1
		}
		if text[p] == '}' {
			if d.finish(b, found, len(d.extras) > 0) != "" {
				return -1
			}
			return p + 1
		}
		if text[p] != ',' {
			return -1
		}
		if p++; p < len(text) && text[p] <= ' ' {
			p = skipSpace(text, p)
		}
	}
	return -1
}

// key reads a key that was not predicted, with its colon, and predicts it for the next
// row.
func (d *Decoder) key(text []byte, p, place int) (column int32, next int) {
	if p >= len(text) || text[p] != '"' {
		return 0, -1
	}
	end := stringEnd(text, p+1)
	if end >= len(text) || text[end] != '"' {
		return 0, -1
	}
	name := text[p+1 : end]
	next = skipSpace(text, end+1)
	if next >= len(text) || text[next] != ':' {
		return 0, -1
	}
	next++
	if place == len(d.order) {
		d.order = append(d.order, slot{})
	}
	s := &d.order[place]
	column, declared := d.byName[string(name)]
	if declared {
		s.column, s.pattern = column, d.columns[column].pattern
		return column, next
	}
	if !utf8.Valid(name) || !d.newExtra(text, span{p, end + 1}) {
		return 0, -1
	}
	s.own = append(append(s.own[:0], text[p:end+1]...), ':')
	s.column, s.pattern = -1, s.own
	return -1, next
}

// newExtra notes the key of an undeclared field; false where the row has it already.
func (d *Decoder) newExtra(text []byte, key span) bool {
	if len(d.extras) == maxQuickExtras || d.extra < 0 {
		return false
	}
	for _, e := range d.extras {
		if e.to-e.from == key.to-key.from && string(text[e.from:e.to]) == string(text[key.from:key.to]) {
			return false
		}
	}
	d.extras = append(d.extras, key)
	return true
}

// scanExtra copies the value at text[p], with the key noted last, into _extra.
func (d *Decoder) scanExtra(b *event.Batch, text []byte, p int) int {
	if p >= len(text) {
		return -1
	}
	end := scalarEnd(text, p)
	if end < 0 && text[p] == '"' {
		// It has escapes; unescape knows whether they are good.
		d.full.key, end = unescape(d.full.key[:0], text, p+1)
	}
	if end < 0 || !validScalar(text[p:end]) {
		return -1
	}
	key := d.extras[len(d.extras)-1]
	x := &b.Columns[d.extra].Str
	x.Data = append(x.Data, separator(len(d.extras) > 1))
	x.Data = append(x.Data, text[key.from:key.to]...)
	x.Data = append(x.Data, ':')
	x.Data = append(x.Data, text[p:end]...)
	return end
}

// validScalar reports whether a token of scalarEnd is a number or a word; strings are
// known to be good.
func validScalar(raw []byte) bool {
	switch raw[0] {
	case '"':
		return true
	case 'n':
		return string(raw) == "null"
	case 't':
		return string(raw) == "true"
	case 'f':
		return string(raw) == "false"
	}
	_, n := scanNumber(raw, strictJSON)
	return n == len(raw)
}

// scalarEnd returns the index after the number, word or plain string at text[p], or -1.
func scalarEnd(text []byte, p int) int {
	if text[p] == '"' {
		end := stringEnd(text, p+1)
		if end >= len(text) || text[end] != '"' {
			return -1
		}
		return end + 1
	}
	from := p
	for p < len(text) && text[p] != ',' && text[p] != '}' && text[p] > ' ' {
		p++
	}
	if p == from {
		return -1
	}
	return p
}

// scanValue adds the value at text[p] to a column and returns the index after it, or -1.
// It knows the usual spelling of each type and leaves others to appendJSON.
func scanValue(v *event.Vector, text []byte, p int) int {
	if p >= len(text) {
		return -1
	}
	c := text[p]
	switch v.Type.Kind {
	case event.String:
		if c == '"' {
			return scanString(v, text, p)
		}
	case event.Int64:
		if x, end := scanInt(text, p); end > 0 {
			v.AppendInt64(x)
			return end
		}
	case event.Float64:
		if x, end := scanDecimal(text, p); end > 0 {
			v.AppendFloat64(x)
			return end
		}
		if c-'0' <= 9 || c == '-' {
			n, length := scanNumber(text[p:], strictJSON)
			if length == 0 {
				return -1
			}
			x, ok := n.float64(text[p : p+length])
			if !ok {
				return -1
			}
			v.AppendFloat64(x)
			return p + length
		}
	case event.UInt64:
		if x, end := scanInt(text, p); end > 0 && x >= 0 {
			v.AppendUInt64(uint64(x))
			return end
		}
	case event.DateTime64, event.Date:
		if c == '"' {
			end := stringEnd(text, p+1)
			if t, ok := parseTime(text[p+1 : end]); ok && end < len(text) && text[end] == '"' && appendInstant(v, t) == "" {
				return end + 1
			}
		}
	case event.Bool:
		switch {
		case c == 't' && hasPrefix(text[p:], []byte("true")):
			v.AppendBool(true)
			return p + 4
		case c == 'f' && hasPrefix(text[p:], []byte("false")):
			v.AppendBool(false)
			return p + 5
		}
	}
	return scanOther(v, text, p)
}

// scanOther adds a value in any other spelling.
func scanOther(v *event.Vector, text []byte, p int) int {
	end := scalarEnd(text, p)
	if end < 0 || text[p] == '{' || text[p] == '[' {
		return -1
	}
	if k := v.Type.Kind; text[p] == 'n' && !v.Type.Nullable && (k == event.DateTime64 || k == event.Date) {
		return -1 // it may be the event time, which must not be null
	}
	if appendJSON(v, text[p:end]) != "" {
		return -1
	}
	return end
}

// scanString adds the JSON string at text[p], with or without escapes.
func scanString(v *event.Vector, text []byte, p int) int {
	p++
	end := stringEnd(text, p)
	if end >= len(text) {
		return -1
	}
	if text[end] == '"' {
		v.Str.Data = append(v.Str.Data, text[p:end]...)
		end++
	} else if v.Str.Data, end = unescape(v.Str.Data, text, p); end < 0 {
		return -1
	}
	endString(v)
	return end
}

// maxQuickDigits is how many digits surely fit in an Int64.
const maxQuickDigits = 18

// scanInt reads an integer of up to 18 digits; end is -1 where something else stands there.
func scanInt(text []byte, p int) (x int64, end int) {
	neg := p < len(text) && text[p] == '-'
	if neg {
		p++
	}
	from := p
	for p < len(text) {
		digit := text[p] - '0'
		if digit > 9 {
			break
		}
		x = x*10 + int64(digit)
		p++
	}
	n := p - from
	if n == 0 || n > maxQuickDigits || n > 1 && text[from] == '0' || p == len(text) {
		return 0, -1
	}
	if c := text[p]; c == '.' || c|0x20 == 'e' {
		return 0, -1
	}
	if neg {
		x = -x
	}
	return x, p
}

// maxQuickMantissa is how many digits surely fit in a Float64.
const maxQuickMantissa = 15

// scanDecimal reads a number without exponent of up to 15 digits; end is -1 where
// something else stands there.
func scanDecimal(text []byte, p int) (x float64, end int) {
	neg := p < len(text) && text[p] == '-'
	if neg {
		p++
	}
	var mant uint64
	from, point := p, -1
	for ; p < len(text); p++ {
		digit := text[p] - '0'
		if digit > 9 {
			if text[p] != '.' || point >= 0 {
				break
			}
			point = p
			continue
		}
		mant = mant*10 + uint64(digit)
	}
	whole, fraction := p-from, 0
	if point >= 0 {
		whole, fraction = point-from, p-point-1
		if fraction == 0 {
			return 0, -1
		}
	}
	if whole == 0 || whole+fraction > maxQuickMantissa || whole > 1 && text[from] == '0' || p == len(text) || text[p]|0x20 == 'e' {
		return 0, -1
	}
	x = float64(mant) / float64Pow10[fraction] // both exact: rounded once
	if neg {
		x = -x
	}
	return x, p
}

func skipSpace(b []byte, p int) int {
	for p < len(b) && (b[p] == ' ' || b[p] == '\n' || b[p] == '\r' || b[p] == '\t') {
		p++
	}
	return p
}

func hasPrefix(b, prefix []byte) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == string(prefix)
}
