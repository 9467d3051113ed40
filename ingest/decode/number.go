package decode

import (
	"math"
	"strconv"
)

// number is a decimal as written: ±mant × 10^exp, cut short where the mantissa does
// not fit in 64 bits.
type number struct {
	mant uint64
	exp  int
	neg  bool
	cut  bool // digits other than 0 were dropped
}

// The grammars of scanNumber.
const (
	strictJSON = true  // RFC 8259
	looseText  = false // also a leading +, leading zeros, no digits on one side of the point
)

// maxExponent bounds a written exponent; with at most MaxRowBytes digits before it the
// sum cannot overflow.
const maxExponent = 100_000_000

// scanNumber reads the number at the start of b and returns its length, 0 if there is none.
func scanNumber(b []byte, strict bool) (n number, length int) {
	i := 0
	if i < len(b) && (b[i] == '-' || (!strict && b[i] == '+')) {
		n.neg = b[i] == '-'
		i++
	}
	start := i
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		if !n.push(b[i]) {
			n.exp++
		}
	}
	digits := i - start
	if strict && (digits == 0 || digits > 1 && b[start] == '0') {
		return n, 0
	}
	if i < len(b) && b[i] == '.' {
		i++
		point := i
		for ; i < len(b) && b[i]-'0' <= 9; i++ {
			if n.push(b[i]) {
				n.exp--
			}
		}
		if strict && i == point {
			return n, 0
		}
		digits += i - point
	}
	if digits == 0 {
		return n, 0
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		neg := false
		if i < len(b) && (b[i] == '-' || b[i] == '+') {
			neg = b[i] == '-'
			i++
		}
		from, e := i, 0
		for ; i < len(b) && b[i]-'0' <= 9; i++ {
			e = min(e*10+int(b[i]-'0'), maxExponent)
		}
		if i == from {
			return n, 0
		}
		if neg {
			e = -e
		}
		n.exp += e
	}
	return n, i
}

// push adds a digit to the mantissa, or drops it where 64 bits are full.
func (n *number) push(digit byte) bool {
	const full = math.MaxUint64 / 10
	d := uint64(digit - '0')
	if n.mant > full || n.mant == full && d > math.MaxUint64%10 {
		n.cut = n.cut || d != 0
		return false
	}
	n.mant = n.mant*10 + d
	return true
}

// magnitude returns the number without its sign where it is an integer below 2^64.
func (n number) magnitude() (uint64, bool) {
	if n.cut {
		return 0, false
	}
	m, e := n.mant, n.exp
	if m == 0 {
		return 0, true
	}
	for ; e < 0; e++ {
		if m%10 != 0 {
			return 0, false
		}
		m /= 10
	}
	for ; e > 0; e-- {
		if m > math.MaxUint64/10 {
			return 0, false
		}
		m *= 10
	}
	return m, true
}

// int64 returns the number where it is an integer in range.
func (n number) int64() (int64, bool) {
	m, ok := n.magnitude()
	if n.neg {
		return -int64(m), ok && m <= 1<<63
	}
	return int64(m), ok && m <= math.MaxInt64
}

// uint64 returns the number where it is an integer in range.
func (n number) uint64() (uint64, bool) {
	m, ok := n.magnitude()
	return m, ok && (!n.neg || m == 0)
}

// float64Pow10 holds the powers of ten that are exact as Float64.
var float64Pow10 = [23]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// float64 returns the nearest Float64 of the number that text spells; false where it is
// beyond the largest.
func (n number) float64(text []byte) (float64, bool) {
	if !n.cut && n.mant < 1<<53 && n.exp >= -22 && n.exp <= 22 {
		// Both factors are exact, so the one rounding is right (Clinger's fast path).
		f := float64(n.mant)
		if n.exp < 0 {
			f /= float64Pow10[-n.exp]
		} else {
			f *= float64Pow10[n.exp]
		}
		if n.neg {
			f = -f
		}
		return f, true
	}
	f, err := strconv.ParseFloat(string(text), 64)
	return f, err == nil
}

// namedFloat reads the words for what JSON numbers cannot say, in any case.
func namedFloat(text []byte) (float64, bool) {
	s := text
	sign := 1
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	switch {
	case equalFold(s, "nan"):
		return math.NaN(), true
	case equalFold(s, "inf"), equalFold(s, "infinity"):
		return math.Inf(sign), true
	}
	return 0, false
}

// equalFold compares b with a word of lower-case ASCII letters.
func equalFold(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i := range b {
		if b[i]|0x20 != word[i] {
			return false
		}
	}
	return true
}
