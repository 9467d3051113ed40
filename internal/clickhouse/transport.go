package clickhouse

import "net/http"

// plainNative asks for Native blocks of revision 0, the format as it is in a file, when a
// caller asks for a result in a format. The driver sends the revision of its own decoder
// with every request, although it does not decode those: the blocks would come with
// extras that depend on the server's release.
type plainNative struct{ next *http.Transport }

// formatRequest is the parameter that the driver sets for results in a format only.
const formatRequest = "http_write_exception_in_output_format"

// RoundTrip implements http.RoundTripper.
func (t plainNative) RoundTrip(r *http.Request) (*http.Response, error) {
	if q := r.URL.Query(); q.Has(formatRequest) {
		q.Del("client_protocol_version")
		r = r.Clone(r.Context())
		r.URL.RawQuery = q.Encode()
	}
	return t.next.RoundTrip(r)
}

// CloseIdleConnections lets http.Client close them, which it asks of its transport.
func (t plainNative) CloseIdleConnections() { t.next.CloseIdleConnections() }
