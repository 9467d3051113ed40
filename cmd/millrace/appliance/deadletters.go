package appliance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/millrace/millrace/ingest/decode"
	"github.com/millrace/millrace/lake/deadletter"
)

// readErrors returns the newest dead letters of a stream.
func (a *Appliance) readErrors(ctx context.Context, streamID string) ([]refusedRow, error) {
	objects, err := a.letters.List(ctx, streamID)
	if err != nil {
		return nil, err
	}
	var rows []refusedRow
	for i := len(objects) - 1; i >= 0 && len(rows) < maxListedErrors; i-- {
		refused, err := a.letters.Read(ctx, objects[i].Name)
		if err != nil {
			return nil, err
		}
		for j := len(refused) - 1; j >= 0; j-- {
			l := refused[j]
			row := refusedRow{
				Arrival: l.Arrival.Format(time.RFC3339Nano), Line: l.Line, Reason: l.Reason,
				Raw:    strings.ToValidUTF8(string(l.Raw), "\uFFFD"),
				Format: l.Format, Header: l.Header,
			}
			if !utf8.Valid(l.Raw) {
				row.RawBase64 = l.Raw
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// replay decodes the letters of an object again and appends the rows that pass under a key
// made of the object's name, so that a repetition is harmless.
func (a *Appliance) replay(ctx context.Context, r *running, object string, again []deadletter.Letter) (accepted int, err error) {
	work := r.target.Decoders.Get()
	defer r.target.Decoders.Put(work)
	now := time.Now()
	var refused []deadletter.Letter
	rows := 0
	for _, l := range again {
		var rejected []decode.Rejected
		format, body, err := bodyOf(l)
		if err == nil {
			rejected, err = work.Decode(work.Batch, format, body, now)
		}
		reason := ""
		switch {
		case err != nil:
			reason = err.Error()
		case len(rejected) > 0:
			reason = rejected[0].Reason
		case work.Batch.Rows == rows:
			reason = "the row is empty"
		}
		rows = work.Batch.Rows
		if reason != "" {
			l.Reason, l.Arrival = reason, now
			refused = append(refused, l)
		}
	}
	if err := a.letters.Write(ctx, r.def.ID, refused); err != nil {
		return 0, err
	}
	_, err = r.target.Appender.Append(ctx, work.Batch, "dead letters "+object)
	return rows, err
}

// bodyOf returns a letter's row as a body of its own.
func bodyOf(l deadletter.Letter) (decode.Format, []byte, error) {
	switch l.Format {
	case "", "ndjson":
		return decode.NDJSON, l.Raw, nil
	case "json":
		// As the element that it was: an array on its own would be taken for several rows.
		return decode.JSON, slices.Concat([]byte("["), l.Raw, []byte("]")), nil
	case "csv":
		return decode.CSV, slices.Concat([]byte(l.Header), []byte("\n"), l.Raw), nil
	}
	return 0, nil, fmt.Errorf("rows of format %q are not known", l.Format)
}

func writeLines[T any](w http.ResponseWriter, rows []T) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	for _, row := range rows {
		if enc.Encode(row) != nil {
			return // the client has gone
		}
	}
}

func writeObject(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client has gone if this fails
}
