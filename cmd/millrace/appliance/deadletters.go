package appliance

import (
	"context"
	"encoding/json"
	"net/http"
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
				Raw: strings.ToValidUTF8(string(l.Raw), "\uFFFD"),
			}
			if !utf8.Valid(l.Raw) {
				row.RawBase64 = l.Raw
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// replay decodes the letters of an object again, as NDJSON rows, and appends those that
// pass under a key made of the object's name, so that a repetition is harmless.
func (a *Appliance) replay(ctx context.Context, r *running, object string, again []deadletter.Letter) (accepted int, err error) {
	work := r.target.Decoders.Get()
	defer r.target.Decoders.Put(work)
	now := time.Now()
	var refused []deadletter.Letter
	rows := 0
	for _, l := range again {
		rejected, err := work.Decode(work.Batch, decode.NDJSON, l.Raw, now)
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
			refused = append(refused, deadletter.Letter{Line: l.Line, Reason: reason, Raw: l.Raw, Arrival: now})
		}
	}
	if err := a.letters.Write(ctx, r.def.ID, refused); err != nil {
		return 0, err
	}
	_, err = r.target.Appender.Append(ctx, work.Batch, "dead letters "+object)
	return rows, err
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
