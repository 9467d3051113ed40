package httpapi

import (
	"fmt"
	"net/http"

	"github.com/millrace/millrace/internal/problem"
)

// Parameters that stand for headers: a page that is closing can send a body to a URL
// (navigator.sendBeacon), and no header.
const (
	// KeyParameter is the write key: a token that may append to its streams and nothing
	// else. It is checked before a request comes here.
	KeyParameter = "key"
	// IdempotencyParameter is the Idempotency-Key.
	IdempotencyParameter = "idempotency_key"
)

// allowPage lets a page of any origin read the answer, where the request says by its
// write key whose it is. A write key is made to stand in pages for everyone to read, so
// the origin of a page adds nothing; and without a key, an answer is for no page that the
// list of origins (cors.origins) does not have.
func allowPage(w http.ResponseWriter, r *http.Request) {
	if h := w.Header(); r.URL.Query().Has(KeyParameter) && h.Get("Access-Control-Allow-Origin") == "" {
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "Idempotent-Replayed, Retry-After")
	}
}

// idempotencyKey returns the key of a request; "" where it has none.
func idempotencyKey(r *http.Request) (string, error) {
	key, inURL := r.Header.Get("Idempotency-Key"), r.URL.Query().Get(IdempotencyParameter)
	switch {
	case key == "":
		key = inURL
	case inURL != "" && inURL != key:
		return "", problem.New(http.StatusBadRequest, "idempotency-key",
			"the header Idempotency-Key and the parameter "+IdempotencyParameter+" are different", "send one of them")
	}
	if len(key) > maxKeyBytes {
		return "", problem.New(http.StatusBadRequest, "idempotency-key",
			fmt.Sprintf("the Idempotency-Key has %d bytes, the limit is %d", len(key), maxKeyBytes), "send a shorter one, like a UUID")
	}
	return key, nil
}
