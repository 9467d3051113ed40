package scalar

import "strconv"

// ParseIPv4 reads four numbers of at most three digits with dots between.
func ParseIPv4(s []byte) (address uint64, ok bool) {
	parts := 0
	for i := 0; ; parts++ {
		from := i
		v := uint64(0)
		for i < len(s) && isDigit(s[i]) && i-from < 4 {
			v = v*10 + uint64(s[i]-'0')
			i++
		}
		if i == from || i-from > 3 || v > 255 || s[from] == '0' && i-from > 1 {
			return 0, false
		}
		address = address<<8 | v
		switch {
		case parts == 3 && i == len(s):
			return address, true
		case parts == 3 || i == len(s) || s[i] != '.':
			return 0, false
		}
		i++
	}
}

// AppendIPv4 appends an address of 32 bits; classC has xxx for its last part.
func AppendIPv4(dst []byte, address uint64, classC bool) []byte {
	for shift := 24; shift >= 0; shift -= 8 {
		if shift == 0 && classC {
			return append(dst, "xxx"...)
		}
		dst = strconv.AppendUint(dst, address>>shift&255, 10)
		if shift > 0 {
			dst = append(dst, '.')
		}
	}
	return dst
}

// AppendMAC appends an address of 48 bits as six bytes with colons between.
func AppendMAC(dst []byte, address uint64) []byte {
	for shift := 40; shift >= 0; shift -= 8 {
		b := byte(address >> shift)
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
		if shift > 0 {
			dst = append(dst, ':')
		}
	}
	return dst
}
