package vet

import (
	"maps"
	"slices"
	"strings"
)

// Judge says what functions.txt must say of a function.
func Judge(kind, name, alias string) string {
	if kind == "table" {
		if allowedTables[name] {
			return "ok"
		}
		return tableReason
	}
	for _, n := range []string{name, alias} {
		if reason, ok := deniedScalars[n]; ok {
			return reason
		}
		for prefix, reason := range deniedPrefixes {
			if n != "" && strings.HasPrefix(n, prefix) {
				return reason
			}
		}
	}
	return "ok"
}

// Denied lists the names in denied.go.
func Denied() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for name := range maps.Keys(deniedScalars) {
			if !yield(name) {
				return
			}
		}
		for name := range maps.Keys(allowedTables) {
			if !yield(name) {
				return
			}
		}
	})
}
