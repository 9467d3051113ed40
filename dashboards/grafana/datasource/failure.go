package datasource

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/millrace/millrace/dashboards/grafana/datasource/frames"
	"github.com/millrace/millrace/dashboards/grafana/datasource/macro"
	"github.com/millrace/millrace/serving/client"
)

// refusal is a query or a setting that cannot be used, with what to do. It is nobody's
// fault but of who wrote it, and not logged.
type refusal struct {
	Detail, Hint string
	Line, Column int // in SQL, from 1; 0: nowhere
}

// Error says the place, the detail and the hint.
func (r *refusal) Error() string {
	return (&client.Error{Detail: r.Detail, Hint: r.Hint, Line: r.Line, Column: r.Column}).Error()
}

// failure is an error as Grafana takes it.
type failure struct {
	Status int    `json:"status"` // of HTTP
	Detail string `json:"error"`
	Hint   string `json:"hint,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`

	own bool // a defect of this plugin, as opposed to the server's or the caller's word
}

// explain makes a failure of any error.
func explain(err error) failure {
	var (
		answered *client.Error
		refused  *refusal
		bad      *macro.Error
		shape    *frames.Error
		network  *url.Error
	)
	switch {
	case errors.As(err, &refused):
		return failure{Status: http.StatusBadRequest, Detail: refused.Detail, Hint: refused.Hint, Line: refused.Line, Column: refused.Column}
	case errors.As(err, &bad):
		return failure{Status: http.StatusBadRequest, Detail: bad.Detail, Hint: bad.Hint, Line: bad.Line, Column: bad.Column}
	case errors.As(err, &shape):
		return failure{Status: http.StatusBadRequest, Detail: shape.Detail, Hint: shape.Hint}
	case errors.As(err, &answered):
		return failure{Status: answered.Status, Detail: answered.Detail, Hint: answered.Hint, Line: answered.Line, Column: answered.Column}
	case errors.Is(err, context.DeadlineExceeded):
		return failure{Status: http.StatusGatewayTimeout, Detail: "the server did not answer within the data source's timeout",
			Hint: "ask for less, or raise the timeout in the data source's settings"}
	case errors.Is(err, context.Canceled):
		return failure{Status: 499, Detail: "the query was canceled"} // as Grafana calls it
	case errors.As(err, &network):
		return failure{Status: http.StatusBadGateway, Detail: fmt.Sprintf("the server at %s cannot be reached: %v", origin(network.URL), network.Err),
			Hint: "check that millrace up runs there, and the URL in the data source's settings"}
	}
	return failure{Status: http.StatusInternalServerError, Detail: err.Error(), own: true}
}

// origin is scheme, host and port of an address.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "its address"
	}
	return u.Scheme + "://" + u.Host
}

// String is a failure as one text.
func (f failure) String() string {
	return (&client.Error{Detail: f.Detail, Hint: f.Hint, Line: f.Line, Column: f.Column}).Error()
}

// failed answers a query with an error.
func failed(err error) backend.DataResponse {
	f := explain(err)
	source := backend.ErrorSourceDownstream
	if f.own {
		source = backend.ErrorSourcePlugin
	}
	return backend.ErrDataResponseWithSource(backend.Status(f.Status), source, f.String())
}
