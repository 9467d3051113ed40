package decode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/millrace/millrace/internal/event"
)

// fullParser is the memory of the complete path: jsontext for the grammar, members kept
// until the object is whole, so that the last of equal keys wins.
type fullParser struct {
	dec     *jsontext.Decoder
	input   bytes.Buffer
	last    [][]byte       // by column: the raw value that counts
	members []member       // undeclared, in order
	unknown map[string]int // key → its place in members
	key     []byte
}

// member is an undeclared member: its key as written, with quotes, and its raw value.
type member struct {
	key, value []byte
	replaced   bool // by a later one of the same key
}

// decodeFull decodes one row by the complete path; it rejects what is no event.
func (d *Decoder) decodeFull(b *event.Batch, raw []byte) {
	reason := d.parseFull(raw)
	if reason == "" {
		reason = d.storeFull(b)
	}
	if reason != "" {
		truncate(b)
		d.reject(raw, reason)
	}
}

// parseFull reads the object into d.full.
func (d *Decoder) parseFull(raw []byte) (reason string) {
	f := &d.full
	clear(f.last)
	clear(f.unknown)
	f.members = f.members[:0]
	if len(raw) > d.limits.MaxRowBytes {
		return fmt.Sprintf("the event measures %d bytes, the limit is %d", len(raw), d.limits.MaxRowBytes)
	}
	if n := depthOf(raw); n > d.limits.MaxDepth {
		return fmt.Sprintf("the event nests %d levels deep, the limit is %d", n, d.limits.MaxDepth)
	}
	f.reset(raw)
	begin, err := f.dec.ReadToken()
	if err != nil {
		return syntaxReason(err)
	}
	if begin.Kind() != jsontext.KindBeginObject {
		return "an event is a JSON object, not " + shown(raw)
	}
	for fields := 1; f.dec.PeekKind() != jsontext.KindEndObject; fields++ {
		key, err := f.value(raw)
		if err != nil {
			return syntaxReason(err)
		}
		value, err := f.value(raw)
		if err != nil {
			return syntaxReason(err)
		}
		if fields > d.limits.MaxFields {
			return fmt.Sprintf("the event has more than %d fields", d.limits.MaxFields)
		}
		f.key, _ = unescape(f.key[:0], key, 1)
		if !utf8.Valid(f.key) {
			return "the key " + shown(f.key) + " is not UTF-8"
		}
		if c, ok := d.byName[string(f.key)]; ok {
			f.last[c] = value
			continue
		}
		if before, ok := f.unknown[string(f.key)]; ok {
			f.members[before].replaced = true
		}
		f.unknown[string(f.key)] = len(f.members)
		f.members = append(f.members, member{key: key, value: value})
	}
	if _, err := f.dec.ReadToken(); err != nil {
		return syntaxReason(err)
	}
	if _, err := f.dec.ReadToken(); err == nil {
		return "there is text after the event's object"
	} else if !errors.Is(err, io.EOF) {
		return syntaxReason(err)
	}
	return ""
}

// reset makes raw the parser's input.
func (f *fullParser) reset(raw []byte) {
	f.input = *bytes.NewBuffer(raw) // jsontext reads a bytes.Buffer in place
	f.dec.Reset(&f.input, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// value reads the next key or value and returns its bytes as a part of raw, which, other
// than what ReadValue returns, stay valid.
func (f *fullParser) value(raw []byte) ([]byte, error) {
	v, err := f.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	end := int(f.dec.InputOffset())
	return raw[end-len(v) : end], nil
}

// storeFull adds what parseFull read to the columns.
func (d *Decoder) storeFull(b *event.Batch) (reason string) {
	f := &d.full
	d.stamp++
	found := 0
	for i, raw := range f.last {
		if raw == nil {
			continue
		}
		v := &b.Columns[i]
		if i == d.stream.EventTime && string(raw) == "null" {
			continue // as good as missing
		}
		if expects := appendJSON(v, raw); expects != "" {
			return mismatch(b.Schema.Columns[i].Name, raw, expects)
		}
		d.seen[i] = d.stamp
		found++
	}
	hasExtra := false
	if d.extra >= 0 {
		x := &b.Columns[d.extra].Str
		for _, m := range f.members {
			if m.replaced {
				continue
			}
			x.Data = append(x.Data, separator(hasExtra))
			x.Data = append(x.Data, m.key...)
			x.Data = append(x.Data, ':')
			x.Data = appendCompact(x.Data, m.value)
			hasExtra = true
		}
	}
	return d.finish(b, found, hasExtra)
}

// separator is what goes before a member of _extra.
func separator(more bool) byte {
	if more {
		return ','
	}
	return '{'
}

// syntaxReason says where the grammar was broken.
func syntaxReason(err error) string {
	var s *jsontext.SyntacticError
	if errors.As(err, &s) {
		return fmt.Sprintf("invalid JSON at byte %d: %v", s.ByteOffset, s.Err)
	}
	return "invalid JSON: the text ends too early"
}
