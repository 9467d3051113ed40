package decode

import (
	"bytes"
	"fmt"

	"github.com/millrace/millrace/internal/event"
)

// lines decodes NDJSON: one object a line, blank lines skipped, CRLF taken.
func (d *Decoder) lines(dst *event.Batch, body []byte) error {
	for len(body) > 0 {
		d.line++
		line := body
		if end := bytes.IndexByte(body, '\n'); end >= 0 {
			line, body = body[:end], body[end+1:]
		} else {
			body = nil
		}
		p := skipSpace(line, 0)
		if p == len(line) {
			continue
		}
		if err := d.count(); err != nil {
			return err
		}
		if len(line) <= d.limits.MaxRowBytes {
			if end := d.scanRow(dst, line, p); end >= 0 {
				if skipSpace(line, end) == len(line) {
					continue
				}
				dst.Rows--
			}
			truncate(dst)
		}
		d.decodeFull(dst, trimSpace(line))
	}
	return nil
}

// document decodes JSON values one after the other; of an array each element is a row. A
// body that is not well-formed is refused whole.
func (d *Decoder) document(dst *event.Batch, body []byte) error {
	p := skipSpace(body, 0)
	if p == len(body) {
		return &BodyError{Offset: p, Msg: "the body is empty"}
	}
	for p < len(body) {
		var err error
		if body[p] == '[' {
			p, err = d.array(dst, body, p)
		} else {
			p, err = d.element(dst, body, p)
		}
		if err != nil {
			return err
		}
		p = skipSpace(body, p)
	}
	return nil
}

// array decodes the elements of the array at body[p] and returns the index after it.
func (d *Decoder) array(dst *event.Batch, body []byte, p int) (int, error) {
	p = skipSpace(body, p+1)
	if p < len(body) && body[p] == ']' {
		return p + 1, nil
	}
	for {
		var err error
		if p, err = d.element(dst, body, p); err != nil {
			return p, err
		}
		p = skipSpace(body, p)
		if p == len(body) {
			return p, &BodyError{Offset: p, Msg: "the array does not end"}
		}
		switch body[p] {
		case ']':
			return p + 1, nil
		case ',':
			p = skipSpace(body, p+1)
		default:
			return p, &BodyError{Offset: p, Msg: fmt.Sprintf("there is %q where , or ] should stand", body[p])}
		}
	}
}

// element decodes the row at body[p] and returns the index after it.
func (d *Decoder) element(dst *event.Batch, body []byte, p int) (int, error) {
	d.line++
	if err := d.count(); err != nil {
		return p, err
	}
	if end := d.scanRow(dst, body, p); end >= 0 {
		if end-p <= d.limits.MaxRowBytes {
			return end, nil
		}
		dst.Rows--
	}
	truncate(dst)
	d.full.reset(body[p:])
	if err := d.full.dec.SkipValue(); err != nil {
		return p, &BodyError{Offset: p, Msg: "the body is not JSON: " + syntaxReason(err) + " of the value"}
	}
	end := p + int(d.full.dec.InputOffset())
	d.decodeFull(dst, body[p:end])
	return end, nil
}

// trimSpace cuts JSON's white space off both ends.
func trimSpace(b []byte) []byte {
	b = b[skipSpace(b, 0):]
	for n := len(b); n > 0; n-- {
		if c := b[n-1]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return b[:n]
		}
	}
	return nil
}
