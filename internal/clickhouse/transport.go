package clickhouse

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// plainNative asks for Native blocks of revision 0, the format as it is in a file, when a
// caller asks for a result in a format. The driver sends the revision of its own decoder
// with every request, although it does not decode those: the blocks would come with
// extras that depend on the server's release.
type plainNative struct{ next *sharedTransport }

// formatRequest is the parameter that the driver sets for results in a format only.
const formatRequest = "http_write_exception_in_output_format"

// exchange is what a caller that passes a result on asks of the request, and learns of
// the response, which the driver keeps to itself.
type exchange struct {
	revision uint64         // of Native blocks, for a client that decodes them
	response *http.Response // nil until it has come
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
	response, err := t.next.transport.RoundTrip(r)
	if err == nil && x != nil {
		x.response = response
	}
	return response, err
}

// CloseIdleConnections does nothing: the transport is not the driver's to close.
func (plainNative) CloseIdleConnections() {}

// idleTimeout is how long a connection waits for the next statement.
const idleTimeout = time.Minute

// sharedTransport is the one transport of a client. The driver would make one for each of
// its connections, and forget the one of a connection whose first statement is cancelled,
// with its socket, for an hour.
type sharedTransport struct {
	once      sync.Once
	transport *http.Transport // of the driver's making
}

// use returns what the driver sends requests through; made is what it has made itself.
func (s *sharedTransport) use(made *http.Transport) (http.RoundTripper, error) {
	s.once.Do(func() {
		made.MaxIdleConns, made.MaxIdleConnsPerHost, made.IdleConnTimeout = maxConnections, maxConnections, idleTimeout
		s.transport = made
	})
	return plainNative{s}, nil
}

// close closes the idle connections; none may be in use.
func (s *sharedTransport) close() {
	s.once.Do(func() {}) // nothing is made from now on
	if s.transport != nil {
		s.transport.CloseIdleConnections()
	}
}
