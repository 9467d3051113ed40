package httpapi

import (
	"fmt"
	"net/http"

	"github.com/millrace/millrace/internal/problem"
)

// idempotencyParameter stands for the Idempotency-Key: a page that is closing can send a
// body to a URL (navigator.sendBeacon), and no header.
const idempotencyParameter = "idempotency_key"

// idempotencyKey returns the key of a request; "" where it has none.
func idempotencyKey(r *http.Request) (string, error) {
	key, inURL := r.Header.Get("Idempotency-Key"), r.URL.Query().Get(idempotencyParameter)
	switch {
	case key == "":
		key = inURL
	case inURL != "" && inURL != key:
		return "", problem.New(http.StatusBadRequest, "idempotency-key",
			"the header Idempotency-Key and the parameter "+idempotencyParameter+" are different", "send one of them")
	}
	if len(key) > maxKeyBytes {
		return "", problem.New(http.StatusBadRequest, "idempotency-key",
			fmt.Sprintf("the Idempotency-Key has %d bytes, the limit is %d", len(key), maxKeyBytes), "send a shorter one, like a UUID")
	}
	return key, nil
}
