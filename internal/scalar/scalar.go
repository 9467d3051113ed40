// Package scalar computes single values: what ClickHouse's functions of texts, times,
// addresses and hashes give. It knows nothing of columns, types or SQL.
//
// The one invariant: a function gives, for any bytes, what the function of the engine
// gives, and neither fails nor panics. Functions that make a text append it to dst, as
// strconv does, so that a column of results needs no memory of its own per row.
package scalar
