package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Column is one column of an answer.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"` // of ClickHouse, such as LowCardinality(String)
}

// Rows reads an answer row by row, as it comes:
//
//	for rows.Next() {
//		use(rows.Raw())
//	}
//	if err := rows.Err(); err != nil { … }
//
// It is not for concurrent use. Close it in any case: that ends the query on the server
// where it still runs.
type Rows struct {
	body    io.Closer
	dec     *json.Decoder
	columns []Column
	raw     []json.RawMessage
	sources []Source
	err     error
	ended   bool
}

// newRows reads the beginning of an answer in ClickHouse's JSON, up to its first row.
func newRows(body io.ReadCloser) (*Rows, error) {
	r := &Rows{body: body, dec: json.NewDecoder(body)}
	if err := r.begin(); err != nil {
		_ = body.Close()
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return r, nil
}

// begin reads up to the first row.
func (r *Rows) begin() error {
	if err := r.delim('{'); err != nil {
		return err
	}
	for {
		name, err := r.name()
		if err != nil {
			return err
		}
		switch name {
		case "":
			return errors.New("there is no data in it")
		case "data":
			if r.columns == nil {
				return errors.New("the data comes before the columns")
			}
			r.raw = make([]json.RawMessage, len(r.columns))
			return r.delim('[')
		default:
			if err := r.member(name); err != nil {
				return err
			}
		}
	}
}

// Columns returns the columns, also where there is no row.
func (r *Rows) Columns() []Column { return r.columns }

// Next reads the next row. It returns false at the end, or where the answer broke off:
// see Err.
func (r *Rows) Next() bool {
	if r.ended || r.err != nil {
		return false
	}
	more, err := r.next()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		r.err = fmt.Errorf("read answer: %w", err)
	}
	r.ended = !more
	return more && err == nil
}

func (r *Rows) next() (more bool, err error) {
	if !r.dec.More() {
		return false, r.end()
	}
	if err := r.delim('{'); err != nil {
		return false, err
	}
	// Names come in the columns' order and may be there twice: the place counts.
	for i := range r.raw {
		if _, err := r.name(); err != nil {
			return false, err
		}
		r.raw[i] = nil // not into the text of the row before, which the caller may have
		if err := r.dec.Decode(&r.raw[i]); err != nil {
			return false, err
		}
	}
	return true, r.delim('}')
}

// end reads what follows the rows.
func (r *Rows) end() error {
	if err := r.delim(']'); err != nil {
		return err
	}
	for {
		name, err := r.name()
		if err != nil || name == "" {
			return err
		}
		if err := r.member(name); err != nil {
			return err
		}
	}
}

// member reads a member of the answer beside the data.
func (r *Rows) member(name string) error {
	var raw json.RawMessage
	if err := r.dec.Decode(&raw); err != nil {
		return err
	}
	switch name {
	case "meta":
		r.columns = []Column{}
		return json.Unmarshal(raw, &r.columns)
	case "provenance":
		list, err := sources(raw)
		r.sources = append(r.sources, list...)
		return err
	case "exception": // the engine's last word, where it failed after the first rows
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
		return errors.New(text)
	}
	return nil
}

// name reads the name of a member; it is empty at the object's end.
func (r *Rows) name() (string, error) {
	t, err := r.dec.Token()
	if err != nil {
		return "", err
	}
	if t == json.Delim('}') {
		return "", nil
	}
	name, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("there is %v where a name should be", t)
	}
	return name, nil
}

func (r *Rows) delim(want json.Delim) error {
	t, err := r.dec.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("there is %v where %v should be", t, want)
	}
	return nil
}

// Raw returns the values of the row as JSON. The slice is the caller's until the next
// call of Next; what it refers to stays.
func (r *Rows) Raw() []json.RawMessage { return r.raw }

// Values returns the values of the row in Go's types: see Answer.
func (r *Rows) Values() ([]any, error) {
	out := make([]any, len(r.raw))
	for i, raw := range r.raw {
		v, err := value(r.columns[i].Type, bytes.TrimSpace(raw))
		if err != nil {
			return nil, fmt.Errorf("read column %s: %w", r.columns[i].Name, err)
		}
		out[i] = v
	}
	return out, nil
}

// Err returns why Next returned false; nil after the last row.
func (r *Rows) Err() error { return r.err }

// Sources says what the answer is made of. It is complete once Next returned false.
func (r *Rows) Sources() []Source { return r.sources }

// Close ends the answer.
func (r *Rows) Close() error { return r.body.Close() }

// Answer is a whole answer. A value of a row has the Go type of its column's type: bool,
// int64, uint64, float64, string; time.Time in UTC for Date, DateTime and DateTime64; nil
// for NULL, and for NaN and the infinities, which JSON has no form for; for any other
// type (Array, Tuple, Map, Decimal, …) what encoding/json makes of it, numbers as
// json.Number.
type Answer struct {
	Columns []Column
	Rows    [][]any
	Sources []Source
}

// answer reads rows to their end and closes them.
func answer(rows *Rows) (*Answer, error) {
	defer rows.Close()
	a := &Answer{Columns: rows.Columns()}
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return nil, err
		}
		a.Rows = append(a.Rows, values)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	a.Sources = rows.Sources()
	return a, nil
}
