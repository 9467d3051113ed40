package openapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type inner struct {
	N int `json:"n" jsonschema:"a number"`
}

type base struct {
	ID string `json:"id"`
}

type outer struct {
	base
	When  *time.Time       `json:"when"`
	Bytes []byte           `json:"bytes,omitempty"`
	One   inner            `json:"one"`
	Maybe *inner           `json:"maybe"`
	Many  []inner          `json:"many"`
	Named map[string]inner `json:"named"`
	Any   any              `json:"any"`
	Raw   json.RawMessage  `json:"raw"`
	Role  access.Role      `json:"role"`
	Skip  chan int         `json:"-"`
}

// TestSchemas compares schemas with what encoding/json writes.
func TestSchemas(t *testing.T) {
	s := newSchemas(map[string]*jsonschema.Schema{})
	got, err := s.of(reflect.TypeFor[[]*outer]())
	if err != nil {
		t.Fatal(err)
	}
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if text(got) != `{"type":["null","array"],"items":{"anyOf":[{"$ref":"#/components/schemas/Outer"},{"type":"null"}]}}` {
		t.Errorf("the list is %s", text(got))
	}
	o := s.into["Outer"]
	for name, want := range map[string]string{
		"id":    `{"type":"string"}`,
		"when":  `{"type":["null","string"],"format":"date-time"}`,
		"bytes": `{"type":"string","contentEncoding":"base64"}`,
		"one":   `{"$ref":"#/components/schemas/Inner"}`,
		"maybe": `{"anyOf":[{"$ref":"#/components/schemas/Inner"},{"type":"null"}]}`,
		"many":  `{"type":["null","array"],"items":{"$ref":"#/components/schemas/Inner"}}`,
		"named": `{"type":"object","additionalProperties":{"$ref":"#/components/schemas/Inner"}}`,
		"any":   `true`,
		"raw":   `true`,
		"role":  `{"type":"string","enum":["ingest","read","sql","admin",""]}`,
	} {
		if got := text(o.Properties[name]); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if len(o.Properties) != 10 || slices.Contains(o.Required, "bytes") || len(o.Required) != 9 {
		t.Errorf("properties %v, required %v", o.PropertyOrder, o.Required)
	}
	if n := s.into["Inner"].Properties["n"]; n.Description != "a number" {
		t.Errorf("n is %s", text(n))
	}
	// A type of the same name in another package is another component.
	for _, of := range []reflect.Type{reflect.TypeFor[problem.Problem](), reflect.TypeFor[Problem]()} {
		if _, err := s.of(of); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.into["Problem"].Properties) < 5 || len(s.into["OpenapiProblem"].Properties) != 1 {
		t.Errorf("components %v", s.into)
	}
}

// Problem is not the one of package problem.
type Problem struct {
	A int
}

func good() route.Route {
	return route.Route{Method: http.MethodGet, Path: "/x/{y}", Right: access.Look, Object: "y", Handler: http.NotFoundHandler(), Doc: route.Doc{
		ID: "x", Tag: "t", Summary: "s", Replies: []route.Reply{{Status: 200, Types: []string{"application/json"}, Value: inner{}}},
		Params: []route.Param{{Name: "n", In: "query", Type: "integer", Example: "3"}, {Name: "m", In: "query", Type: "string", Repeated: true, Example: "a"}},
	}}
}

// TestIncompleteRoutesFail: a route that cannot be described fails the start, not the
// reader of the description.
func TestIncompleteRoutesFail(t *testing.T) {
	if _, err := Build("v", route.Table{good()}); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*route.Route){
		"no tag":           func(r *route.Route) { r.Doc.Tag = "" },
		"no summary":       func(r *route.Route) { r.Doc.Summary = "" },
		"no reply":         func(r *route.Route) { r.Doc.Replies = nil },
		"odd parameter":    func(r *route.Route) { r.Doc.Params[0].In = "cookie" },
		"odd type":         func(r *route.Route) { r.Doc.Params[0].Type = "date" },
		"bad example":      func(r *route.Route) { r.Doc.Params[0].Example = "three" },
		"bad media type":   func(r *route.Route) { r.Doc.Replies[0].Types[0] = "json/" },
		"no schema":        func(r *route.Route) { r.Doc.Replies[0].Value = struct{ C chan int }{} },
		"example no JSON":  func(r *route.Route) { r.Doc.Body = &route.Body{Types: []string{"application/json"}, Example: "{"} },
		"recursive schema": func(r *route.Route) { r.Doc.Replies[0].Value = recursive{} },
	} {
		r := good()
		spoil(&r)
		if _, err := Build("v", route.Table{r}); err == nil || !strings.Contains(err.Error(), "GET /x/{y}") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type recursive struct {
	Next *recursive `json:"next"`
}

func TestRoutesServeDocumentAndPage(t *testing.T) {
	r := good()
	r.Doc.About = "Has `<code>` & more.\n\nA second <script>paragraph</script>."
	table, err := Routes("1.2.3", route.Table{r, {Method: "GET", Path: "/page", Handler: http.NotFoundHandler()}})
	if err != nil || len(table) != 4 {
		t.Fatalf("%d routes, %v", len(table), err)
	}
	h := table.Handler(func(_ route.Route, h http.Handler) http.Handler { return h })
	ask := func(path string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
		return w.Body.String()
	}
	var d Document
	if err := json.Unmarshal([]byte(ask("/openapi.json")), &d); err != nil {
		t.Fatal(err)
	}
	op := d.Paths["/x/{y}"]["get"]
	if d.Info.Version != "1.2.3" || op == nil || len(op.Parameters) != 3 || op.Parameters[0].Name != "y" || !op.Parameters[0].Required || d.Paths["/page"] != nil || d.Paths["/openapi.json"] == nil {
		t.Errorf("the document has %+v", d)
	}
	for _, status := range []string{"200", "401", "403", "429", "500"} {
		if op.Responses[status] == nil {
			t.Errorf("no response %s", status)
		}
	}
	page := ask("/docs/api")
	for _, want := range []string{"<code>&lt;code&gt;</code> &amp; more.</p><p>A second &lt;script&gt;", `id="x"`, `href="#schema-Inner"`, `/x/Y?m=a&amp;n=3`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(page, "<script") {
		t.Error("the page has a script")
	}
}
