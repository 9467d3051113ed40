package scalar

import "strconv"

// JSONType returns the name of the engine's type of a value.
func JSONType(value []byte) string {
	switch value[0] {
	case '{':
		return "Object"
	case '[':
		return "Array"
	case '"':
		return "String"
	case 't', 'f':
		return "Bool"
	case 'n':
		return "Null"
	}
	switch numberOf(value).kind {
	case jsonUint:
		return "UInt64"
	case jsonFloat:
		return "Double"
	}
	return "Int64"
}

// JSONInt returns a number, or that of a string, cut to Int64; 0 where there is none or
// it has no room.
func JSONInt(value []byte) int64 {
	if value[0] == '"' {
		var b [64]byte
		s := appendUnescaped(b[:0], value[1:len(value)-1])
		if v, ok := ParseInt(s); ok {
			return v
		}
		f, _ := ParseFloat(s)
		return intOf(f)
	}
	switch n := numeric(value); n.kind {
	case jsonInt:
		return n.int
	case jsonFloat:
		return intOf(n.float)
	}
	return 0
}

// JSONUint is JSONInt for UInt64.
func JSONUint(value []byte) uint64 {
	if value[0] == '"' {
		var b [64]byte
		s := appendUnescaped(b[:0], value[1:len(value)-1])
		if v, ok := ParseUint(s); ok {
			return v
		}
		f, _ := ParseFloat(s)
		return uintOf(f)
	}
	switch n := numeric(value); n.kind {
	case jsonInt:
		return uint64(max(n.int, 0))
	case jsonUint:
		return n.uint
	case jsonFloat:
		return uintOf(n.float)
	}
	return 0
}

// JSONFloat returns a number, or that of a string; 0 where there is none.
func JSONFloat(value []byte) float64 {
	if value[0] == '"' {
		var b [64]byte
		f, _ := ParseFloat(appendUnescaped(b[:0], value[1:len(value)-1]))
		return f
	}
	switch n := numeric(value); n.kind {
	case jsonInt:
		return float64(n.int)
	case jsonUint:
		return float64(n.uint)
	default:
		return n.float
	}
}

// JSONBool reports whether a value is true or a whole number other than 0.
func JSONBool(value []byte) bool {
	n := numeric(value)
	return value[0] == 't' || n.int != 0 || n.uint != 0
}

// numeric returns the number that a value is, or none.
func numeric(value []byte) jsonNumber {
	if value[0] == '-' || isDigit(value[0]) {
		return numberOf(value)
	}
	return jsonNumber{}
}

// intOf cuts a float; of NaN it makes what x86 makes, as the engine does.
func intOf(f float64) int64 {
	if f != f {
		return -1 << 63
	}
	if f >= -1<<63 && f < 1<<63 {
		return int64(f)
	}
	return 0
}

func uintOf(f float64) uint64 {
	if f != f {
		return 1 << 63
	}
	if f >= 0 && f < 1<<64 {
		return uint64(f)
	}
	return 0
}

// AppendJSONText appends the text of a string, and any other value as AppendJSON; nothing
// of null.
func AppendJSONText(dst, value []byte) []byte {
	switch value[0] {
	case '"':
		return appendUnescaped(dst, value[1:len(value)-1])
	case 'n':
		return dst
	}
	return AppendJSON(dst, value)
}

// AppendJSON appends a value as the engine writes it: without spaces, numbers in their
// shortest form.
func AppendJSON(dst, value []byte) []byte {
	switch value[0] {
	case '{', '[':
		object := value[0] == '{'
		dst = append(dst, value[0])
		first := true
		for it := (members{s: value, object: object}); it.next(); first = false {
			if !first {
				dst = append(dst, ',')
			}
			if object {
				dst = append(appendQuoted(dst, it.key), ':')
			}
			dst = AppendJSON(dst, it.value)
		}
		return append(dst, value[0]+2)
	case '"':
		return appendQuoted(dst, value[1:len(value)-1])
	case 't', 'f', 'n':
		return append(dst, value...)
	}
	switch n := numberOf(value); n.kind {
	case jsonInt:
		return strconv.AppendInt(dst, n.int, 10)
	case jsonUint:
		return strconv.AppendUint(dst, n.uint, 10)
	default:
		return AppendFloat(dst, n.float)
	}
}

// appendQuoted appends a string, given as it stands between quotes, with the escapes that
// the engine writes.
func appendQuoted(dst, raw []byte) []byte {
	from := len(dst)
	dst = appendUnescaped(dst, raw)
	var b [128]byte
	text := append(b[:0], dst[from:]...)
	dst = append(dst[:from], '"')
	for i, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\b':
			dst = append(dst, `\b`...)
		case c == '\f':
			dst = append(dst, `\f`...)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		case (c == 0xA8 || c == 0xA9) && i > 1 && text[i-1] == 0x80 && text[i-2] == 0xE2:
			// The line separators of Unicode, which JavaScript had not in strings.
			dst = append(dst[:len(dst)-2], '\\', 'u', '2', '0', '2', '8'+c-0xA8)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
