package plan

// convert returns n as a value of type t, of the same nullability. In ClickHouse's text
// it stays what it is: ClickHouse converts by itself wherever this is used. A pair of
// types that needs no change of memory keeps the node.
func convert(n *node, t valueType) *node {
	t.nullable = n.typ.nullable
	if n.typ == t {
		return n
	}
	if n.typ.base == nothing {
		return nullOf(n, t)
	}
	if t.temporal() {
		return convertTime(n, t)
	}
	return mapArg(n, t, numberKernel(n.typ, t))
}

// nullOf gives the constant NULL a type.
func nullOf(n *node, t valueType) *node {
	c := *n
	c.typ = t.orNull(true)
	c.constant = newNull(c.typ)
	return &c
}

// numberKernel converts between the numeric types as a C++ cast does, except that a
// Float64 only becomes a Float64 here.
func numberKernel(from, to valueType) kernel {
	switch {
	case to.base == float64s:
		switch {
		case from.truth():
			return convertRows(u8, f64)
		case from.signed():
			return convertRows(i64, f64)
		case from.unsigned():
			return convertRows(u64, f64)
		}
	case to.signed():
		switch {
		case from.truth():
			return convertRows(u8, i64)
		case from.signed():
			return convertRows(i64, i64)
		case from.unsigned():
			return convertRows(u64, i64)
		}
	case to.unsigned():
		switch {
		case from.truth():
			return convertRows(u8, u64)
		case from.signed():
			return convertRows(i64, u64)
		case from.unsigned():
			return convertRows(u64, u64)
		}
	case to.truth():
		return copyRows(u8)
	}
	return nil
}

func copyRows[T any](s slot[T]) kernel { return map1(s, s, func(v T) T { return v }) }

// lastDateTimeDay is the day that ClickHouse makes a DateTime of when a later one would
// not have room in it: 2106-02-06.
const lastDateTimeDay = 49709

// convertTime widens Date to DateTime to DateTime64, or raises the precision.
func convertTime(n *node, t valueType) *node {
	scale := t.ticks() / n.typ.ticks()
	if n.typ.base == date {
		scale *= secondsPerDay
	}
	if n.typ.base == date && t.base == dateTime {
		return mapArg(n, t, map1(i64, i64, func(v int64) int64 { return min(v, lastDateTimeDay) * scale }))
	}
	return mapArg(n, t, map1(i64, i64, func(v int64) int64 { return v * scale }))
}
