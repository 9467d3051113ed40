package httpapi

import (
	"fmt"
	"net/http"

	"github.com/millrace/millrace/internal/route"
)

// Doc describes the Handler.
var Doc = route.Doc{
	ID: "appendEvents", Tag: "streams", Summary: "Append events to a stream",
	About: "The reply of success is sent after every accepted event is durable. Rows that are refused become dead letters and fail nothing else.",
	Params: []route.Param{
		{Name: "stream", In: "path", Type: "string", Required: true, About: "name of the stream", Example: "clicks"},
		{Name: "Idempotency-Key", In: "header", Type: "string", Example: "b7f3c1d2",
			About: fmt.Sprintf("up to %d bytes: sending the same body again under the same key changes nothing", maxKeyBytes)},
	},
	Body: &route.Body{
		Types:   []string{"application/x-ndjson", "application/json", "text/csv"},
		About:   "NDJSON, a JSON array or object, or CSV with a header; plain, gzip or zstd by `Content-Encoding`",
		Example: `{"ts":"2026-11-22T10:00:00Z","user_id":"u1","page":"/","latency_ms":12}`,
	},
	Replies: []route.Reply{{Status: http.StatusOK, Types: []string{"application/json"}, Value: Reply{}, About: "what was accepted and what refused"}},
	Errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
}
