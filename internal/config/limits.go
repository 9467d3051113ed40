package config

import (
	"fmt"
	"time"
)

// QueryLimits bound one query of a role. In Config.Admin and Config.Read, 0 means the
// value of Config.SQL.
type QueryLimits struct {
	// Timeout ends a query. Default 60s, 100ms to 1h.
	Timeout time.Duration
	// MaxRows bounds an answer. Default 1,000,000; 1 to 100,000,000.
	MaxRows int64
	// MaxBytes bounds an answer. Default 256 MiB, 1 KiB to 64 GiB.
	MaxBytes int64
	// MaxMemoryBytes bounds what the engine takes for a query. Default 2 GiB, 16 MiB to 1 TiB.
	MaxMemoryBytes int64
	// MaxViewRows bounds the rows of one view that a SELECT reads. Default 10,000,000; 1 to
	// 1,000,000,000.
	MaxViewRows int64
	// Concurrency is how many queries may run at a time. Default 8, 1 to 256.
	Concurrency int64
}

// defaultLimits are those of SQL.
var defaultLimits = QueryLimits{
	Timeout: time.Minute, MaxRows: 1_000_000, MaxBytes: 256 << 20, MaxMemoryBytes: 2 << 30, MaxViewRows: 10_000_000, Concurrency: 8,
}

// keys lists the settings of one role; prefix is query. or query.admin.
func (l *QueryLimits) keys(prefix, role string) []key {
	return []key{
		{prefix + "timeout", "longest run of a query" + role, duration(&l.Timeout)},
		{prefix + "max_rows", "most rows of an answer" + role, integer(&l.MaxRows)},
		{prefix + "max_bytes", "most bytes of an answer" + role, integer(&l.MaxBytes)},
		{prefix + "max_memory_bytes", "most memory of the engine for a query" + role, integer(&l.MaxMemoryBytes)},
		{prefix + "max_view_rows", "most rows of a view that a SELECT reads" + role, integer(&l.MaxViewRows)},
		{prefix + "concurrency", "most queries at a time" + role, integer(&l.Concurrency)},
	}
}

// Or fills what is 0 from other limits.
func (l QueryLimits) Or(other QueryLimits) QueryLimits {
	if l.Timeout == 0 {
		l.Timeout = other.Timeout
	}
	for _, f := range []struct {
		of   *int64
		from int64
	}{
		{&l.MaxRows, other.MaxRows}, {&l.MaxBytes, other.MaxBytes}, {&l.MaxMemoryBytes, other.MaxMemoryBytes},
		{&l.MaxViewRows, other.MaxViewRows}, {&l.Concurrency, other.Concurrency},
	} {
		if *f.of == 0 {
			*f.of = f.from
		}
	}
	return l
}

// validate returns every violation.
func (l QueryLimits) validate(prefix string) []error {
	var errs []error
	if l.Timeout < 100*time.Millisecond || l.Timeout > time.Hour {
		errs = append(errs, fmt.Errorf("%stimeout: %s is outside %s to %s", prefix, l.Timeout, 100*time.Millisecond, time.Hour))
	}
	for _, f := range []struct {
		name         string
		n, low, high int64
	}{
		{"max_rows", l.MaxRows, 1, 100_000_000},
		{"max_bytes", l.MaxBytes, 1 << 10, 64 << 30},
		{"max_memory_bytes", l.MaxMemoryBytes, 16 << 20, 1 << 40},
		{"max_view_rows", l.MaxViewRows, 1, 1_000_000_000},
		{"concurrency", l.Concurrency, 1, 256},
	} {
		if f.n < f.low || f.n > f.high {
			errs = append(errs, fmt.Errorf("%s%s: %d is outside %d to %d", prefix, f.name, f.n, f.low, f.high))
		}
	}
	return errs
}
