package route

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/millrace/millrace/internal/problem"
)

// WriteJSON answers with a value as one line of JSON. It returns an error, having written
// nothing, where the value cannot be encoded.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the client has gone if this fails
	return nil
}

// Fail answers with the problem that an error is; a fault of the server is logged too.
func Fail(log *slog.Logger, w http.ResponseWriter, r *http.Request, err error) {
	p := problem.From(err)
	if p.Status == http.StatusInternalServerError {
		log.Error("answer request", "path", r.URL.Path, "error", err)
	}
	problem.Write(w, p)
}
