// Package format writes answers in the formats of the HTTP surface.
//
// The one invariant: every format carries the same values; a value that a format cannot
// hold (NaN in JSON) has one documented form there.
package format

import (
	"bufio"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/arrowbatch"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/problem"
)

// Format is one way to write an answer.
type Format struct {
	Name        string // of ?format=
	ContentType string
	// write writes a batch; extra are fields beside the data, which only JSON can hold.
	write func(w io.Writer, b *event.Batch, extra []Field) error
}

// Field is a value beside the rows of a JSON answer, already in JSON.
type Field struct {
	Name string
	JSON []byte
}

var formats = []Format{
	{"json", "application/json", writeJSON},
	{"ndjson", "application/x-ndjson", func(w io.Writer, b *event.Batch, _ []Field) error { return writeNDJSON(w, b) }},
	{"csv", "text/csv; charset=utf-8", func(w io.Writer, b *event.Batch, _ []Field) error { return writeCSV(w, b) }},
	{"arrow", "application/vnd.apache.arrow.stream", func(w io.Writer, b *event.Batch, _ []Field) error {
		return arrowbatch.WriteStream(w, b)
	}},
}

// aliases are other names of formats: ClickHouse's.
var aliases = map[string]string{"jsoneachrow": "ndjson", "csvwithnames": "csv", "arrowstream": "arrow"}

// ContentTypes lists the media types of all formats.
func ContentTypes() []string {
	types := make([]string, len(formats))
	for i, f := range formats {
		types[i] = f.ContentType
	}
	return types
}

// Choose picks the format of a request: ?format=, else Accept, else JSON.
func Choose(r *http.Request) (Format, error) {
	if name := r.URL.Query().Get("format"); name != "" {
		return Named(name)
	}
	if i := Accepted(r, ContentTypes()); i >= 0 {
		return formats[i], nil
	}
	return formats[0], nil
}

// Accepted returns the place in types of the first media type that the request's Accept
// names, -1 where it names none of them.
func Accepted(r *http.Request, types []string) int {
	for accepted := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		media, _, err := mime.ParseMediaType(accepted)
		if err != nil {
			continue
		}
		for i, t := range types {
			if strings.HasPrefix(t, media) {
				return i
			}
		}
	}
	return -1
}

// Named finds a format by name, in any case.
func Named(name string) (Format, error) {
	name = strings.ToLower(name)
	if alias, ok := aliases[name]; ok {
		name = alias
	}
	known := make([]string, len(formats))
	for i, f := range formats {
		if f.Name == name {
			return f, nil
		}
		known[i] = f.Name
	}
	return Format{}, problem.New(http.StatusBadRequest, "unknown-format",
		fmt.Sprintf("unknown format %q", name), "use one of "+strings.Join(known, ", "))
}

// Write writes a batch to w.
func (f Format) Write(w io.Writer, b *event.Batch, extra ...Field) error {
	buffered := bufio.NewWriterSize(w, 64<<10)
	if err := f.write(buffered, b, extra); err != nil {
		return fmt.Errorf("write %s: %w", f.Name, err)
	}
	return buffered.Flush()
}

func writeJSON(w io.Writer, b *event.Batch, extra []Field) error {
	line := []byte(`{"meta":[`)
	for i, c := range b.Schema.Columns {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(line, `{"name":`...)
		line = appendString(line, []byte(c.Name))
		line = append(line, `,"type":`...)
		line = appendString(line, []byte(c.Type.String()))
		line = append(line, '}')
	}
	line = append(line, `],"data":[`...)
	for row := range b.Rows {
		if row > 0 {
			line = append(line, ',')
		}
		line = append(line, '\n')
		line = appendRow(line, b, row)
		if _, err := w.Write(line); err != nil {
			return err
		}
		line = line[:0]
	}
	line = append(line, "\n],\"rows\":"...)
	line = strconv.AppendInt(line, int64(b.Rows), 10)
	for _, f := range extra {
		line = append(line, ',')
		line = appendString(line, []byte(f.Name))
		line = append(line, ':')
		line = append(line, f.JSON...)
	}
	line = append(line, "}\n"...)
	_, err := w.Write(line)
	return err
}

func writeNDJSON(w io.Writer, b *event.Batch) error {
	var line []byte
	for row := range b.Rows {
		line = append(appendRow(line[:0], b, row), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

func appendRow(dst []byte, b *event.Batch, row int) []byte {
	dst = append(dst, '{')
	for i := range b.Columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, []byte(b.Schema.Columns[i].Name))
		dst = append(dst, ':')
		dst = AppendJSON(dst, &b.Columns[i], row)
	}
	return append(dst, '}')
}

// AppendJSON writes one value. NaN and the infinities become null, as ClickHouse's JSON
// has them; 64-bit integers are plain numbers.
func AppendJSON(dst []byte, v *event.Vector, row int) []byte {
	if v.Null(row) {
		return append(dst, "null"...)
	}
	switch v.Type.Kind {
	case event.Bool:
		return strconv.AppendBool(dst, v.U8[row] != 0)
	case event.Float64:
		f := v.F64[row]
		if f-f != 0 { // NaN or infinite
			return append(dst, "null"...)
		}
		return appendFloat(dst, f)
	case event.String:
		return appendString(dst, v.Str.At(row))
	case event.Date, event.DateTime64:
		dst = append(dst, '"')
		dst = AppendText(dst, v, row)
		return append(dst, '"')
	}
	return AppendText(dst, v, row)
}

// appendFloat writes a finite float in the shortest form that reads back the same.
func appendFloat(dst []byte, f float64) []byte {
	abs := f
	if abs < 0 {
		abs = -abs
	}
	if abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

const hex = "0123456789abcdef"

// appendString writes a JSON string; bytes that are no UTF-8 become U+FFFD.
func appendString(dst, s []byte) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
			i++
		case c >= 0x20 && c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		case c == '\n':
			dst = append(dst, '\\', 'n')
			i++
		case c == '\t':
			dst = append(dst, '\\', 't')
			i++
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			i++
		default:
			r, n := utf8.DecodeRune(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return append(dst, '"')
}

func writeCSV(w io.Writer, b *event.Batch) error {
	var line []byte
	for i, c := range b.Schema.Columns {
		if i > 0 {
			line = append(line, ',')
		}
		line = appendQuoted(line, []byte(c.Name))
	}
	line = append(line, "\r\n"...)
	for row := range b.Rows {
		for i := range b.Columns {
			if i > 0 {
				line = append(line, ',')
			}
			v := &b.Columns[i]
			switch {
			case v.Null(row): // a null is an empty field, an empty string is ""
			case v.Type.Kind == event.String:
				line = appendQuoted(line, v.Str.At(row))
			default:
				line = AppendText(line, v, row)
			}
		}
		line = append(line, "\r\n"...)
		if _, err := w.Write(line); err != nil {
			return err
		}
		line = line[:0]
	}
	_, err := w.Write(line)
	return err
}

// appendQuoted writes an RFC 4180 field, always in quotes.
func appendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	for _, c := range s {
		if c == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// AppendText writes a value as plain text, as ClickHouse writes it: dates as
// 2006-01-02, times as 2006-01-02 15:04:05.000 in UTC, null as NULL.
func AppendText(dst []byte, v *event.Vector, row int) []byte {
	if v.Null(row) {
		return append(dst, "NULL"...)
	}
	switch v.Type.Kind {
	case event.Bool:
		return strconv.AppendBool(dst, v.U8[row] != 0)
	case event.Int64:
		return strconv.AppendInt(dst, v.I64[row], 10)
	case event.UInt64:
		return strconv.AppendUint(dst, v.U64[row], 10)
	case event.Float64:
		f := v.F64[row]
		switch {
		case f != f:
			return append(dst, "nan"...)
		case f-f != 0 && f > 0:
			return append(dst, "inf"...)
		case f-f != 0:
			return append(dst, "-inf"...)
		}
		return appendFloat(dst, f)
	case event.String:
		return append(dst, v.Str.At(row)...)
	case event.Date:
		return time.Unix(v.I64[row]*86400, 0).UTC().AppendFormat(dst, time.DateOnly)
	case event.DateTime64:
		scale := event.Pow10[v.Type.Precision]
		seconds := event.FloorDiv(v.I64[row], scale)
		dst = time.Unix(seconds, 0).UTC().AppendFormat(dst, time.DateTime)
		if v.Type.Precision > 0 {
			fraction := strconv.FormatInt(scale+v.I64[row]-seconds*scale, 10)
			dst = append(append(dst, '.'), fraction[1:]...)
		}
		return dst
	}
	return dst
}
