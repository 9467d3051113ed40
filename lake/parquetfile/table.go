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
	if len(paths) == 0 {
		return "null(" + structure + ")"
	}
	return fmt.Sprintf("file(%s, 'Parquet', %s)", quoteText(pattern(paths)), structure)
}

// TableEngine returns a table engine of ClickHouse over files of a stream, for a table
// with the columns of Structure; otherwise it is as TableExpr. A read-only session, which
// is refused the function file, can read such a table.
func TableEngine(paths []string) string {
	if len(paths) == 0 {
		return "Memory"
	}
	return fmt.Sprintf("File('Parquet', %s)", quoteText(pattern(paths)))
}

// pattern returns one path that stands for all: what they have in common, then the rest
// of each in braces.
func pattern(paths []string) string {
	if len(paths) == 1 {
		return paths[0]
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
	return b.String()
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
