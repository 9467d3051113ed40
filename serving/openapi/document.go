// Package openapi describes the HTTP surface as OpenAPI 3.1 and draws that as a page.
//
// The one invariant: the description is made from the route tables that are served and
// from the Go types that are encoded, so that it cannot say anything else than they do.
package openapi

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
)

// Document is an OpenAPI document, as far as it is needed here.
type Document struct {
	OpenAPI    string              `json:"openapi"`
	Info       Info                `json:"info"`
	Servers    []Server            `json:"servers"`
	Tags       []Tag               `json:"tags"`
	Paths      map[string]PathItem `json:"paths"`
	Components Components          `json:"components"`
	Problems   []problem.Kind      `json:"x-problems"` // every type of problem there is
}

// Info is about the whole API.
type Info struct {
	Title       string  `json:"title"`
	Summary     string  `json:"summary"`
	Description string  `json:"description"`
	Version     string  `json:"version"`
	License     License `json:"license"`
}

// License is that of the API.
type License struct {
	Name       string `json:"name"`
	Identifier string `json:"identifier"`
}

// Server is where the API is.
type Server struct {
	URL         string `json:"url"`
	Description string `json:"description"`
}

// Tag is a chapter.
type Tag struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// PathItem has the operations of a path by method in small letters.
type PathItem map[string]*Operation

// Operation is one method on one path.
type Operation struct {
	OperationID string                `json:"operationId"`
	Tags        []string              `json:"tags"`
	Summary     string                `json:"summary"`
	Description string                `json:"description,omitempty"`
	Parameters  []Parameter           `json:"parameters,omitempty"`
	RequestBody *RequestBody          `json:"requestBody,omitempty"`
	Responses   map[string]*Response  `json:"responses"`
	Security    []map[string][]string `json:"security"`
	Right       access.Right          `json:"x-right"`
	Object      string                `json:"x-object,omitempty"` // the path parameter that the right is on
}

// Parameter is a parameter of an operation.
type Parameter struct {
	Name        string             `json:"name"`
	In          string             `json:"in"`
	Required    bool               `json:"required,omitempty"`
	Description string             `json:"description,omitempty"`
	Schema      *jsonschema.Schema `json:"schema"`
	Explode     *bool              `json:"explode,omitempty"`
	Example     any                `json:"example,omitempty"`
}

// RequestBody is what a request carries.
type RequestBody struct {
	Description string           `json:"description,omitempty"`
	Required    bool             `json:"required,omitempty"`
	Content     map[string]Media `json:"content"`
}

// Response is an answer.
type Response struct {
	Ref         string           `json:"$ref,omitempty"`
	Description string           `json:"description,omitempty"`
	Headers     map[string]any   `json:"headers,omitempty"`
	Content     map[string]Media `json:"content,omitempty"`
}

// Media is a body in one media type.
type Media struct {
	Schema *jsonschema.Schema `json:"schema,omitempty"`
	// Line is the schema of each line of NDJSON, which OpenAPI 3.1 cannot say.
	Line *jsonschema.Schema `json:"x-line-schema,omitempty"`
	// Event is the schema of the data of each event of a stream, but for those of problems.
	Event   *jsonschema.Schema `json:"x-event-schema,omitempty"`
	Example any                `json:"example,omitempty"`
}

// Components are what operations refer to.
type Components struct {
	Schemas         map[string]*jsonschema.Schema `json:"schemas"`
	Responses       map[string]*Response          `json:"responses"`
	SecuritySchemes map[string]SecurityScheme     `json:"securitySchemes"`
}

// SecurityScheme is a way to say who one is.
type SecurityScheme struct {
	Type        string `json:"type"`
	Scheme      string `json:"scheme,omitempty"`
	Name        string `json:"name,omitempty"`
	In          string `json:"in,omitempty"`
	Description string `json:"description"`
}

// everywhere are the statuses of problem JSON that every route may answer with.
var everywhere = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusInternalServerError}

const about = "Millrace takes streams of events in and answers questions about them: by views, which are batch merged with speed and exact, " +
	"by SQL, and by the state of every layer.\n\n" +
	"A token goes as `Authorization: Bearer mr_…`, or as the password of Basic. On loopback a server may be set to take whoever comes from its own machine " +
	"without one. Each operation names the right that it asks for in `x-right`, and in `x-object` the parameter that names what the right is on.\n\n" +
	"Every error is RFC 9457 problem JSON: what was wrong, where, and what to do. `x-problems` lists the types."

// tagAbout says what the chapters are about; others have their name only.
var tagAbout = map[string]string{
	"streams":      "Events go in, and what was refused comes out.",
	"views":        "Declared aggregations, batch merged with speed.",
	"sql":          "Definitions and ad-hoc questions.",
	"leaderboards": "Who leads, and where somebody stands.",
	"reports":      "Documents that are made and delivered by schedule.",
	"state":        "How the server is.",
	"access":       "Tokens, who you are, and who did what.",
}

// Build describes the routes of a table; pages are left out. It fails where a route has no
// full description, or a type has no schema.
func Build(version string, table route.Table) (*Document, error) {
	d := &Document{
		OpenAPI: "3.1.0",
		Info: Info{
			Title: "Millrace", Summary: "Exact, fresh answers over streams of events", Description: about, Version: version,
			License: License{"Apache 2.0", "Apache-2.0"},
		},
		Servers: []Server{{"/", "this server"}},
		Paths:   map[string]PathItem{},
		Components: Components{
			Schemas:   map[string]*jsonschema.Schema{},
			Responses: map[string]*Response{},
			SecuritySchemes: map[string]SecurityScheme{
				"bearer":   {Type: "http", Scheme: "bearer", Description: "a token, `mr_…`"},
				"basic":    {Type: "http", Scheme: "basic", Description: "the token as the password; the user name is not looked at"},
				"writeKey": {Type: "apiKey", In: "query", Name: "key", Description: "a token with the role `ingest`, where no header can be sent, as by a browser's beacon"},
			},
		},
		Problems: problem.Kinds,
	}
	s := newSchemas(d.Components.Schemas)
	if err := s.problem(); err != nil {
		return nil, err
	}
	for _, r := range table {
		if r.Doc.ID == "" {
			continue
		}
		op, err := operation(r, s)
		if err != nil {
			return nil, fmt.Errorf("describe %s %s: %w", r.Method, r.Path, err)
		}
		item := d.Paths[r.Path]
		if item == nil {
			item = PathItem{}
			d.Paths[r.Path] = item
		}
		item[strings.ToLower(r.Method)] = op
		if !slices.ContainsFunc(d.Tags, func(t Tag) bool { return t.Name == r.Doc.Tag }) {
			d.Tags = append(d.Tags, Tag{r.Doc.Tag, tagAbout[r.Doc.Tag]})
		}
		for _, status := range slices.Concat(everywhere, r.Doc.Errors) {
			d.Components.Responses[errorName(status)] = errorResponse(status)
		}
	}
	return d, nil
}

// errorName is the name of the common response of a status, such as NotFound.
func errorName(status int) string {
	return strings.ReplaceAll(http.StatusText(status), " ", "")
}

func errorResponse(status int) *Response {
	var kinds []string
	for _, k := range problem.Kinds {
		if k.Status == status {
			kinds = append(kinds, "`"+k.Name+"`: "+k.About)
		}
	}
	r := &Response{
		Description: cmp.Or(strings.Join(kinds, ". "), http.StatusText(status)),
		Content:     map[string]Media{problem.ContentType: {Schema: reference(problemName)}},
	}
	header := func(name, about, kind string) {
		r.Headers = map[string]any{name: map[string]any{"description": about, "schema": map[string]string{"type": kind}}}
	}
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		header("Retry-After", "seconds to wait", "integer")
	case http.StatusUnauthorized:
		header("WWW-Authenticate", "how to say who you are", "string")
	}
	return r
}

func operation(r route.Route, s *schemas) (*Operation, error) {
	op := &Operation{
		OperationID: r.Doc.ID, Tags: []string{r.Doc.Tag}, Summary: r.Doc.Summary, Description: r.Doc.About,
		Responses: map[string]*Response{}, Security: security(r.Right), Right: r.Right, Object: r.Object,
	}
	if r.Doc.Tag == "" || r.Doc.Summary == "" || len(r.Doc.Replies) == 0 {
		return nil, fmt.Errorf("its Doc lacks a Tag, a Summary or Replies")
	}
	params := slices.Clone(r.Doc.Params)
	for _, name := range wildcards(r.Path) {
		if !slices.ContainsFunc(params, func(p route.Param) bool { return p.Name == name && p.In == "path" }) {
			params = append([]route.Param{{Name: name, In: "path", Type: "string", About: "name of the " + name}}, params...)
		}
	}
	for _, p := range params {
		made, err := parameter(p)
		if err != nil {
			return nil, err
		}
		op.Parameters = append(op.Parameters, made)
	}
	if b := r.Doc.Body; b != nil {
		op.RequestBody = &RequestBody{Description: b.About, Content: map[string]Media{}}
		for _, media := range b.Types {
			m, err := s.media(media, valueFor(media, b.Types, b.Value))
			if err != nil {
				return nil, err
			}
			if m.Example, err = example(media, b.Example, b.Types[0] == media); err != nil {
				return nil, err
			}
			op.RequestBody.Content[media] = m
		}
	}
	for _, reply := range r.Doc.Replies {
		made := &Response{Description: cmp.Or(reply.About, http.StatusText(reply.Status))}
		for _, media := range reply.Types {
			m, err := s.media(media, valueFor(media, reply.Types, reply.Value))
			if err != nil {
				return nil, err
			}
			if made.Content == nil {
				made.Content = map[string]Media{}
			}
			made.Content[media] = m
		}
		op.Responses[strconv.Itoa(reply.Status)] = made
	}
	for _, status := range slices.Concat(everywhere, r.Doc.Errors) {
		op.Responses[strconv.Itoa(status)] = &Response{Ref: "#/components/responses/" + errorName(status)}
	}
	return op, nil
}

// valueFor is the Go value that a body has in one of its media types: that of JSON, or of
// the lines where there is NDJSON alone.
func valueFor(media string, types []string, value any) any {
	if media == "application/x-ndjson" && slices.Contains(types, "application/json") {
		return nil
	}
	return value
}

// security lists the ways to show a token that a right takes.
func security(right access.Right) []map[string][]string {
	none := []string{}
	ways := []map[string][]string{{"bearer": none}, {"basic": none}}
	switch right {
	case access.Public:
		return append([]map[string][]string{{}}, ways...)
	case access.Append:
		return append(ways, map[string][]string{"writeKey": none})
	}
	return ways
}

// wildcards lists the parameters in a path.
func wildcards(path string) []string {
	var names []string
	for s := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(s, "{"); ok {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}

func parameter(p route.Param) (Parameter, error) {
	made := Parameter{Name: p.Name, In: p.In, Required: p.Required || p.In == "path", Description: p.About, Schema: &jsonschema.Schema{Type: p.Type}}
	if !slices.Contains([]string{"path", "query", "header"}, p.In) || !slices.Contains([]string{"string", "integer", "number", "boolean"}, p.Type) {
		return made, fmt.Errorf("parameter %s: In %q or Type %q is not known", p.Name, p.In, p.Type)
	}
	var err error
	if p.Example != "" {
		switch p.Type {
		case "integer":
			made.Example, err = strconv.ParseInt(p.Example, 10, 64)
		case "number":
			made.Example, err = strconv.ParseFloat(p.Example, 64)
		case "boolean":
			made.Example, err = strconv.ParseBool(p.Example)
		default:
			made.Example = p.Example
		}
	}
	if err != nil {
		return made, fmt.Errorf("example of parameter %s: %w", p.Name, err)
	}
	if p.Repeated {
		made.Schema = &jsonschema.Schema{Type: "array", Items: made.Schema}
		explode := true
		made.Explode = &explode
		if made.Example != nil {
			made.Example = []any{made.Example}
		}
	}
	return made, nil
}
