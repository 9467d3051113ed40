package appliance

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/serving/chhttp"
	"github.com/millrace/millrace/serving/format"
)

// ClickHouse is the endpoint for clients of ClickHouse, which has a port of its own.
func (a *Appliance) ClickHouse() http.Handler {
	return chhttp.New(chhttp.Options{
		Executor: statements{a},
		Identify: func(*http.Request) (access.Principal, error) { return access.Root, nil },
		Log:      a.o.Log,
	})
}

// statements gives the endpoint's statements to the executor.
type statements struct{ a *Appliance }

// Stream implements the endpoint's Executor.
func (s statements) Stream(ctx context.Context, r chhttp.Request) (*chhttp.Response, error) {
	f, err := format.Named(r.Format)
	if err != nil {
		return nil, err
	}
	answers, err := s.a.executor.Run(ctx, r.Text, r.Wait)
	if err != nil {
		return nil, err
	}
	last := answers[len(answers)-1]
	var body bytes.Buffer
	if err := f.Write(&body, last.Batch); err != nil {
		return nil, err
	}
	response := &chhttp.Response{Body: io.NopCloser(&body), Format: r.Format, ContentType: f.ContentType, Statement: "select"}
	if last.Provenance != nil {
		response.Provenance = []any{last.Provenance}
	}
	return response, nil
}
