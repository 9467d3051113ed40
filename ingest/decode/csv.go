package decode

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/event"
)

// csvField says where a CSV column goes.
type csvField struct {
	column int    // -1: undeclared
	key    []byte // of an undeclared one, as a JSON string
}

// csv decodes CSV. The header row names the columns; what it names beyond the schema goes
// to _extra as JSON strings.
func (d *Decoder) csv(dst *event.Batch, body []byte) error {
	r := csv.NewReader(bytes.NewReader(body))
	r.ReuseRecord = true
	r.FieldsPerRecord = -1 // checked here, so that a short row is rejected alone
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return &BodyError{Msg: "the CSV has no header row"}
	}
	if err != nil {
		return &BodyError{Offset: int(r.InputOffset()), Msg: "the CSV's header row is broken: " + err.Error()}
	}
	fields, err := d.csvHeader(header)
	if err != nil {
		return err
	}
	extraBytes := 0
	for {
		from := r.InputOffset()
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if countErr := d.count(); countErr != nil {
			return countErr
		}
		raw := body[from:r.InputOffset()]
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			d.line = broken.StartLine
			d.reject(trimCSV(raw), "invalid CSV: "+broken.Err.Error())
			continue
		} else if err != nil {
			return fmt.Errorf("read CSV: %w", err)
		}
		d.line, _ = r.FieldPos(0)
		reason := d.csvRow(dst, fields, record, raw)
		if reason != "" {
			truncate(dst)
			d.reject(trimCSV(raw), reason)
			continue
		}
		if d.extra >= 0 {
			extraBytes += len(dst.Columns[d.extra].Str.At(dst.Rows - 1))
			if extraBytes > d.limits.MaxBatchBytes {
				return fmt.Errorf("%w: the columns that the stream does not declare take more than %d bytes", ErrTooLarge, d.limits.MaxBatchBytes)
			}
		}
	}
}

// csvHeader finds the columns of a header row.
func (d *Decoder) csvHeader(header []string) ([]csvField, error) {
	if len(header) > d.limits.MaxFields {
		return nil, &BodyError{Msg: fmt.Sprintf("the CSV has more than %d columns", d.limits.MaxFields)}
	}
	fields := make([]csvField, len(header))
	seen := make(map[string]bool, len(header))
	for i, name := range header {
		name = strings.TrimSpace(name)
		if seen[name] {
			return nil, &BodyError{Msg: "the CSV's header names " + quoteName(name) + " twice"}
		}
		if !utf8.ValidString(name) {
			return nil, &BodyError{Msg: "the CSV's header name " + quoteName(name) + " is not UTF-8"}
		}
		seen[name] = true
		if c, ok := d.byName[name]; ok {
			fields[i].column = int(c)
		} else {
			fields[i] = csvField{column: -1, key: appendJSONString(nil, []byte(name))}
		}
	}
	if name := d.stream.Schema.Columns[d.stream.EventTime].Name; !seen[name] {
		return nil, &BodyError{Msg: "the CSV's header lacks " + quoteName(name) + ", the event time"}
	}
	return fields, nil
}

// csvRow adds one record.
func (d *Decoder) csvRow(b *event.Batch, fields []csvField, record []string, raw []byte) (reason string) {
	if len(raw) > d.limits.MaxRowBytes {
		return fmt.Sprintf("the row measures %d bytes, the limit is %d", len(raw), d.limits.MaxRowBytes)
	}
	if len(record) != len(fields) {
		return fmt.Sprintf("the row has %d fields, the header %d", len(record), len(fields))
	}
	d.stamp++
	found, hasExtra := 0, false
	for i, f := range fields {
		d.full.key = append(d.full.key[:0], record[i]...)
		text := d.full.key
		if f.column < 0 {
			if d.extra >= 0 {
				x := &b.Columns[d.extra].Str
				x.Data = append(x.Data, separator(hasExtra))
				x.Data = append(append(x.Data, f.key...), ':')
				x.Data = appendJSONString(x.Data, text)
				hasExtra = true
			}
			continue
		}
		v := &b.Columns[f.column]
		switch {
		case string(text) == `\N`, len(text) == 0 && (v.Type.Kind != event.String || v.Type.Nullable):
			if f.column == d.stream.EventTime {
				continue // missing
			}
			v.AppendZero(true)
		case v.Type.Kind == event.String:
			v.AppendString(text)
		default:
			if expects := appendText(v, text); expects != "" {
				return mismatch(b.Schema.Columns[f.column].Name, text, expects)
			}
		}
		d.seen[f.column] = d.stamp
		found++
	}
	return d.finish(b, found, hasExtra)
}

// trimCSV cuts the line break off a record.
func trimCSV(raw []byte) []byte { return bytes.Trim(raw, "\r\n") }
