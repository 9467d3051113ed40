package parquetfile

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/internal/event"
)

// Structure returns the columns of a stream's files as ClickHouse declares them, with the
// stream's own types.
func Structure(stream *event.Schema) string {
	var b strings.Builder
	write := func(c event.Column) {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quoteName(c.Name))
		b.WriteByte(' ')
		b.WriteString(c.Type.String())
	}
	for _, c := range stream.Columns {
		write(c)
	}
	for _, c := range systemColumns {
		write(c)
	}
	return b.String()
}

// TableExpr returns the rows of files of a stream as a table expression of ClickHouse.
// paths are what objstore.Store.URL gives. No files give no rows. The text has some 50
// bytes per file: beyond 5,000 files max_query_size must be more than ClickHouse's 256 KiB.
func TableExpr(paths []string, stream *event.Schema) string {
	structure := quoteText(Structure(stream))
	switch len(paths) {
	case 0:
		return "null(" + structure + ")"
	case 1:
		return fmt.Sprintf("file(%s, 'Parquet', %s)", quoteText(paths[0]), structure)
	}
	prefix := commonFolder(paths)
	var b strings.Builder
	b.WriteString(prefix)
	b.WriteByte('{')
	for i, p := range paths {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(p[len(prefix):])
	}
	b.WriteByte('}')
	return fmt.Sprintf("file(%s, 'Parquet', %s)", quoteText(b.String()), structure)
}

// commonFolder is the longest path up to and with a slash that all paths begin with.
func commonFolder(paths []string) string {
	common := paths[0]
	for _, p := range paths[1:] {
		n := 0
		for n < len(common) && n < len(p) && common[n] == p[n] {
			n++
		}
		common = common[:n]
	}
	return common[:strings.LastIndexByte(common, '/')+1]
}

var textEscapes = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

func quoteText(s string) string { return "'" + textEscapes.Replace(s) + "'" }

var nameEscapes = strings.NewReplacer(`\`, `\\`, "`", "\\`")

func quoteName(s string) string { return "`" + nameEscapes.Replace(s) + "`" }
