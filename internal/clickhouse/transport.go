package clickhouse

import (
	"net/http"
	"strconv"
)

// plainNative asks for Native blocks of revision 0, the format as it is in a file, when a
// caller asks for a result in a format. The driver sends the revision of its own decoder
// with every request, although it does not decode those: the blocks would come with
// extras that depend on the server's release.
type plainNative struct{ next *http.Transport }

// formatRequest is the parameter that the driver sets for results in a format only.
const formatRequest = "http_write_exception_in_output_format"

// exchange is what a caller that passes a result on asks of the request, and learns of
// the response, which the driver keeps to itself.
type exchange struct {
	revision uint64      // of Native blocks, for a client that decodes them
	header   http.Header // of the response; nil until it has come
}

// exchangeKey finds the *exchange of a context.
type exchangeKey struct{}

// RoundTrip implements http.RoundTripper.
func (t plainNative) RoundTrip(r *http.Request) (*http.Response, error) {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	if q := r.URL.Query(); q.Has(formatRequest) {
		q.Del("client_protocol_version")
		if x != nil && x.revision > 0 {
			q.Set("client_protocol_version", strconv.FormatUint(x.revision, 10))
		}
		r = r.Clone(r.Context())
		r.URL.RawQuery = q.Encode()
	} else {
		x = nil // the driver's own requests
	}
	response, err := t.next.RoundTrip(r)
	if err == nil && x != nil {
		x.header = response.Header
	}
	return response, err
}

// CloseIdleConnections lets http.Client close them, which it asks of its transport.
func (t plainNative) CloseIdleConnections() { t.next.CloseIdleConnections() }
