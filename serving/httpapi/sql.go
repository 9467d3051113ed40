package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/serving/format"
	"github.com/millrace/millrace/serving/query"
)

// sqlFormats are the names of ?format=, the first the default, with ClickHouse's names for
// them and their media types.
var sqlFormats = []struct{ name, engine, contentType string }{
	{"json", "JSON", "application/json"},
	{"ndjson", "JSONEachRow", "application/x-ndjson"},
	{"csv", "CSVWithNames", "text/csv; charset=utf-8"},
	{"arrow", "ArrowStream", "application/vnd.apache.arrow.stream"},
	{"parquet", "Parquet", "application/vnd.apache.parquet"},
}

// sqlTypes are the media types of sqlFormats.
func sqlTypes() []string {
	types := make([]string, len(sqlFormats))
	for i, f := range sqlFormats {
		types[i] = f.contentType
	}
	return types
}

// sqlDoc describes POST /v1/sql.
var sqlDoc = route.Doc{
	ID: "runSQL", Tag: "sql", Summary: "Run SQL statements",
	About: "Runs one statement or several, separated by semicolons, and answers with the outcome of the last. " +
		"SELECT is any of ClickHouse's over streams and views. Parameters of ClickHouse's HTTP interface that name a setting " +
		"of an output format, or that lower a limit, are taken too, and `param_NAME` fills `{NAME:Type}`.",
	Params: []route.Param{
		{Name: "format", In: "query", Type: "string", About: "json (default), ndjson, csv, arrow, parquet, or a format of ClickHouse by its name. FORMAT in the statement wins.", Example: "csv"},
		{Name: "wait", In: "query", Type: "string", About: "Up to 1m: wait until everything acknowledged before the request is in the views.", Example: "1s"},
		{Name: "query_id", In: "query", Type: "string", About: "A name for the query, sent back in X-ClickHouse-Query-Id."},
	},
	Body: &route.Body{Types: []string{"text/plain", "application/sql"}, About: "The statements, up to 256 KiB.", Example: "SELECT page, sum(hits) AS n FROM page_hits GROUP BY page ORDER BY n DESC"},
	Replies: []route.Reply{{Status: http.StatusOK, Types: sqlTypes(),
		Value: SQLAnswer{}, About: "The rows. The header Millrace-Provenance holds the provenance for every format, the trailer Millrace-Rows the number of rows."}},
	Errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusNotImplemented, http.StatusServiceUnavailable, http.StatusGatewayTimeout},
}

// SQLAnswer is the shape of a JSON answer of POST /v1/sql.
type SQLAnswer struct {
	Meta       []Column         `json:"meta"`
	Data       []map[string]any `json:"data" jsonschema:"one object a row; NaN and infinities are null"`
	Rows       int64            `json:"rows"`
	Provenance []map[string]any `json:"provenance,omitempty" jsonschema:"one element for each view (as of the view's own API) and stream (stream, positions) that the answer is made of"`
}

// rowsTrailer tells, behind the answer, how many rows it has in whatever format.
const rowsTrailer = "Millrace-Rows"

func (s *server) sql(w http.ResponseWriter, r *http.Request) error {
	q, err := sqlRequest(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxSQLBytes))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return problem.New(http.StatusRequestEntityTooLarge, "too-large",
				fmt.Sprintf("the statement is longer than %d bytes", MaxSQLBytes), "send less at a time")
		}
		return problem.New(http.StatusBadRequest, "unreadable", err.Error(), "")
	}
	q.Text = string(text)
	response, err := s.Executor.Run(r.Context(), q)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return s.answer(w, r, response)
}

// answer writes a response. It fails before the first byte only.
func (s *server) answer(w http.ResponseWriter, r *http.Request, response *query.Response) error {
	body, err := response.WithProvenance()
	if err != nil {
		return err
	}
	h := w.Header()
	for name, values := range response.Header {
		h[name] = values
	}
	if response.Sources != nil {
		sources, err := json.Marshal(response.Sources)
		if err != nil {
			return fmt.Errorf("encode provenance: %w", err)
		}
		h.Set(provenanceHeader, string(sources))
	}
	h.Set("Content-Type", response.ContentType)
	for _, f := range sqlFormats {
		if f.engine == response.Format {
			h.Set("Content-Type", f.contentType)
		}
	}
	h.Set("Trailer", rowsTrailer)
	if _, err := io.Copy(w, body); err != nil {
		if r.Context().Err() == nil {
			s.Log.Warn("answer to a query breaks off", "error", err)
		}
		// Whoever reads it must not take it for whole.
		panic(http.ErrAbortHandler)
	}
	h.Set(rowsTrailer, strconv.FormatInt(response.Rows(), 10))
	return nil
}

// sqlRequest reads the parameters of POST /v1/sql: what is none of its own is a setting.
func sqlRequest(r *http.Request) (query.Request, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return query.Request{}, bad("parameters", "%v", err)
	}
	q := query.Request{Settings: map[string]string{}, Params: map[string]string{}}
	if q.Wait, err = parseWait(values.Get("wait")); err != nil {
		return q, err
	}
	q.Format = sqlFormats[0].engine
	if name := values.Get("format"); name != "" {
		q.Format = name // ClickHouse's, or one of ours:
		for _, f := range sqlFormats {
			if strings.EqualFold(f.name, name) {
				q.Format = f.engine
			}
		}
	} else if i := format.Accepted(r, sqlTypes()); i >= 0 {
		q.Format = sqlFormats[i].engine
	}
	for name := range values {
		param, isParam := strings.CutPrefix(name, "param_")
		switch {
		case isParam:
			q.Params[param] = values.Get(name)
		case name == "query_id":
			q.QueryID = values.Get(name)
		case name != "wait" && name != "format":
			q.Settings[name] = values.Get(name)
		}
	}
	return q, nil
}
