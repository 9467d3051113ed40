package query

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// tailBytes of a JSON answer are held back: its end, "}\n", is in them.
const tailBytes = 16

// WithProvenance returns the response's body; in a JSON object the sources follow as its
// last member, "provenance".
func (r *Response) WithProvenance() (io.Reader, error) {
	if r.Format != "JSON" || r.Sources == nil {
		return r.Body, nil
	}
	text, err := json.Marshal(r.Sources)
	if err != nil {
		return nil, fmt.Errorf("encode provenance: %w", err)
	}
	return &tailReader{from: r.Body, member: text}, nil
}

// tailReader passes a JSON object on and puts a member before its end.
type tailReader struct {
	from   io.Reader
	member []byte
	ready  []byte // to be passed on
	tail   []byte // may be the end
	err    error  // of from, once it has come
}

// Read implements io.Reader.
func (t *tailReader) Read(p []byte) (int, error) {
	for len(t.ready) == 0 {
		if t.err != nil {
			return 0, t.err
		}
		buf := make([]byte, max(len(p), tailBytes))
		n, err := t.from.Read(buf)
		all := slices.Concat(t.tail, buf[:n])
		t.err = err
		switch {
		case err == io.EOF: //nolint:errorlint // a reader's end is io.EOF itself
			t.ready, t.tail = t.close(all), nil
		case len(all) > tailBytes:
			t.ready, t.tail = all[:len(all)-tailBytes], append([]byte(nil), all[len(all)-tailBytes:]...)
		default:
			t.tail = all
		}
	}
	n := copy(p, t.ready)
	t.ready = t.ready[n:]
	return n, nil
}

// close puts the member before the last brace.
func (t *tailReader) close(all []byte) []byte {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i] == '}' {
			end := append([]byte(nil), all[i:]...)
			all = append(all[:i], ",\n\t\"provenance\": "...)
			return append(append(all, t.member...), append([]byte("\n"), end...)...)
		}
	}
	return all
}
