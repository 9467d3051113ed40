// Package flights carries the SQL of the flights example, so that the binary can show it
// without the source tree.
package flights

import _ "embed"

// SQL declares the stream and its views; applying it twice is harmless.
//
//go:embed flights.sql
var SQL string

// Reports declares the example's reports, which need reports.dir.
//
//go:embed reports.sql
var Reports string
