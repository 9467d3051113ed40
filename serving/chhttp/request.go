package chhttp

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/query"
)

const (
	// maxBodyBytes bounds the body of a request, decompressed: a statement, and as much
	// again of parameters in the parts of a form.
	maxBodyBytes = 2 * sql.MaxTextBytes
	// maxWindowBytes bounds what the header of a zstd body makes the decoder allocate.
	maxWindowBytes = 8 << 20
)

// request is one HTTP request, understood.
type request struct {
	query.Request
	database string // as the client calls it
	// encoding of the body: "", gzip, zstd or deflate.
	encoding string
	// blocks is the method of ClickHouse's own compression of the body.
	blocks compression
	whole  bool // the answer is sent once it is there as a whole
}

// databases are the names of the one database that there is, and the one that tells of it.
var databases = []string{query.Database, "default", "system"}

// ignored are parameters of ClickHouse's HTTP interface that change nothing here: there
// are no sessions, quotas or profiles, and nothing is logged by the client's wish.
var ignored = []string{
	"quota_key", "stacktrace", "buffer_size", "session_id", "session_timeout", "session_check", "close_session",
	"send_progress_in_http_headers", "http_headers_progress_interval_ms", "log_comment", "max_query_size",
	"http_write_exception_in_output_format", "client_name", "network_zstd_compression_level", "http_zlib_compression_level",
}

func bad(detail, hint string) error {
	return problem.New(http.StatusBadRequest, "bad-parameter", detail, hint)
}

func notImplemented(detail, hint string) error {
	return problem.New(http.StatusNotImplemented, "not-implemented", detail, hint)
}

// parseRequest reads parameters and body.
func parseRequest(w http.ResponseWriter, r *http.Request) (*request, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, bad("the parameters of the URL cannot be read: "+err.Error(), "")
	}
	req := &request{Request: query.Request{Settings: map[string]string{}, Params: map[string]string{}}}
	body, form, err := readBody(w, r, values.Get("decompress") == "1")
	if err != nil {
		return nil, err
	}
	for name, v := range form {
		values[name] = v
	}
	req.Text = values.Get("query")
	switch {
	case req.Text == "":
		req.Text = body
	case body != "":
		req.Text += "\n" + body
	}
	if len(req.Text) > sql.MaxTextBytes {
		return nil, problem.New(http.StatusRequestEntityTooLarge, "too-large",
			fmt.Sprintf("the statement has %d bytes, the limit is %d", len(req.Text), sql.MaxTextBytes), "")
	}
	if strings.TrimSpace(req.Text) == "" {
		req.Text = ""
		if r.Method == http.MethodPost {
			return nil, problem.New(http.StatusBadRequest, "sql", "there is no statement", "send one as the body or as ?query=")
		}
	}
	req.database = first(values.Get("database"), r.Header.Get("X-ClickHouse-Database"), query.Database)
	if err := checkDatabase(req.database); err != nil {
		return nil, err
	}
	req.Format = first(values.Get("default_format"), r.Header.Get("X-ClickHouse-Format"), "TabSeparated")
	req.QueryID = values.Get("query_id")
	if values.Get("enable_http_compression") == "1" {
		req.encoding = chooseEncoding(r.Header.Values("Accept-Encoding"))
	}
	return req, req.sort(values)
}

// first returns the first text that is not empty.
func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

// sort puts each parameter where it belongs.
func (req *request) sort(values url.Values) error {
	for name, all := range values {
		value := all[len(all)-1]
		switch {
		case strings.HasPrefix(name, "param_"):
			req.Params[name[len("param_"):]] = value
		case slices.Contains(ignored, name):
		case name == "role":
			if value != "" {
				return notImplemented("there is no role "+strconv.Quote(value)+" to choose", "leave role out: the token says what you may")
			}
		case name == "readonly":
			if value != "1" && value != "2" {
				return problem.New(http.StatusForbidden, "readonly", "the ClickHouse endpoint is read-only; readonly cannot be "+value, "leave readonly out")
			}
		case name == "client_protocol_version":
			revision, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return bad("client_protocol_version "+strconv.Quote(value)+" is not a number", "")
			}
			req.Revision = revision
		case name == "wait_end_of_query":
			req.whole = value == "1" || value == "true"
		case name == "network_compression_method":
			// read with compress, below
		case name == "compress":
			if value != "1" {
				continue
			}
			method, ok := blockMethods[strings.ToUpper(first(values.Get("network_compression_method"), "LZ4"))]
			if !ok {
				return notImplemented("network_compression_method "+strconv.Quote(values.Get("network_compression_method"))+" is not known", "use LZ4, LZ4HC, ZSTD or NONE")
			}
			req.blocks = compression{on: true, method: method}
		case slices.Contains([]string{"query", "database", "default_format", "query_id", "enable_http_compression", "decompress"}, name):
			// read already
		default:
			req.Settings[name] = value
		}
	}
	return nil
}

// readBody returns the text of the body, or the fields of a form.
func readBody(w http.ResponseWriter, r *http.Request, blocks bool) (string, url.Values, error) {
	source := io.Reader(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(source)
		if err != nil {
			return "", nil, unreadable(err)
		}
		defer z.Close()
		source = z
	case "zstd":
		z, err := zstd.NewReader(source, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindowBytes))
		if err != nil {
			return "", nil, unreadable(err)
		}
		defer z.Close()
		source = z
	default:
		return "", nil, notImplemented("a body of Content-Encoding "+strconv.Quote(encoding)+" cannot be read", "send gzip, zstd or none")
	}
	if blocks {
		source = blockReader{compress.NewReader(source)}
	}
	source = io.LimitReader(source, maxBodyBytes+1)
	if media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && media == "multipart/form-data" {
		form, err := readForm(multipart.NewReader(source, params["boundary"]))
		return "", form, err
	}
	text, err := io.ReadAll(source)
	if err == nil && len(text) > maxBodyBytes {
		err = &http.MaxBytesError{Limit: maxBodyBytes}
	}
	if err != nil {
		return "", nil, unreadable(err)
	}
	return string(text), nil, nil
}

// blockReader reads ClickHouse's own compression. The library wraps the end of the body in
// a text, which io.ReadAll would take for a failure.
type blockReader struct{ r *compress.Reader }

func (b blockReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.EOF
	}
	return n, err
}

// readForm reads the fields of a form: the statement and its parameters, where those are
// too long for a URL.
func readForm(parts *multipart.Reader) (url.Values, error) {
	form := url.Values{}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return form, nil
		}
		if err != nil {
			return nil, unreadable(err)
		}
		name := part.FormName()
		if part.FileName() != "" || name != "query" && !strings.HasPrefix(name, "param_") {
			return nil, notImplemented("a table cannot be sent along in the part "+strconv.Quote(name)+" of a form", "ingest the rows into a stream")
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return nil, unreadable(err)
		}
		form.Add(name, string(text))
	}
}

func unreadable(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return problem.New(http.StatusRequestEntityTooLarge, "too-large", fmt.Sprintf("the body has more than %d bytes", maxBodyBytes), "send a shorter statement")
	}
	return bad("the body cannot be read: "+err.Error(), "send it again")
}
