package openapi

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"prose": prose, "type": typeOf, "fields": fields, "status": statusName, "example": exampleText, "curl": curl,
	"lower": strings.ToLower,
}).Parse(pageText))

// chapter is the operations of a tag, in the order of the table.
type chapter struct {
	Tag
	Operations []pageOperation
}

type pageOperation struct {
	*Operation
	Method, Path string
	Answers      []pageAnswer
	Failures     []int
}

type pageAnswer struct {
	Status string
	*Response
}

// draw writes the document as one page of HTML: no script, no other host.
func draw(w io.Writer, d *Document) error {
	var chapters []chapter
	for _, t := range d.Tags {
		c := chapter{Tag: t}
		for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
			for _, method := range []string{"get", "post", "put", "delete"} {
				op := d.Paths[path][method]
				if op == nil || op.Tags[0] != t.Name {
					continue
				}
				o := pageOperation{Operation: op, Method: strings.ToUpper(method), Path: path}
				for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
					if r := op.Responses[status]; r.Ref == "" {
						o.Answers = append(o.Answers, pageAnswer{status, r})
					} else if n, err := strconv.Atoi(status); err == nil {
						o.Failures = append(o.Failures, n)
					}
				}
				c.Operations = append(c.Operations, o)
			}
		}
		chapters = append(chapters, c)
	}
	err := page.Execute(w, map[string]any{"Document": d, "Chapters": chapters})
	if err != nil {
		return fmt.Errorf("draw API description: %w", err)
	}
	return nil
}

// prose makes paragraphs and code of the little Markdown that descriptions have.
func prose(text string) template.HTML {
	var b strings.Builder
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		b.WriteString("<p>")
		for i, part := range strings.Split(paragraph, "`") {
			if i%2 == 1 {
				b.WriteString("<code>" + template.HTMLEscapeString(part) + "</code>")
			} else {
				b.WriteString(template.HTMLEscapeString(part))
			}
		}
		b.WriteString("</p>")
	}
	return template.HTML(b.String()) //nolint:gosec // every part of it is escaped
}

// typeOf writes a schema in a word or two, with links to components.
func typeOf(s *jsonschema.Schema) template.HTML {
	switch {
	case s == nil:
		return "bytes"
	case s.Ref != "":
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		return template.HTML(fmt.Sprintf(`<a href="#schema-%s">%s</a>`, template.HTMLEscapeString(name), template.HTMLEscapeString(name))) //nolint:gosec // escaped
	case len(s.AnyOf) > 0:
		parts := make([]string, len(s.AnyOf))
		for i, a := range s.AnyOf {
			parts[i] = string(typeOf(a))
		}
		return template.HTML(strings.Join(parts, " or ")) //nolint:gosec // of escaped parts
	}
	types := s.Types
	if s.Type != "" {
		types = []string{s.Type}
	}
	var words []string
	for _, t := range types {
		switch {
		case t == "null" && slices.Contains(types, "array"):
			continue // an empty list may be written so
		case t == "array":
			t = "list of " + string(typeOf(s.Items))
		case t == "object" && s.AdditionalProperties != nil && len(s.Properties) == 0:
			t = "object of " + string(typeOf(s.AdditionalProperties))
		case t == "string" && s.Format != "":
			t = s.Format
		}
		words = append(words, t)
	}
	if len(words) == 0 {
		return "any"
	}
	return template.HTML(strings.Join(words, " or ")) //nolint:gosec // types of JSON and escaped parts
}

// field is a property of a schema.
type field struct {
	Name     string
	Schema   *jsonschema.Schema
	Optional bool
}

func fields(s *jsonschema.Schema) []field {
	names := s.PropertyOrder
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(s.Properties))
	}
	list := make([]field, 0, len(names))
	for _, n := range names {
		list = append(list, field{n, s.Properties[n], !slices.Contains(s.Required, n)})
	}
	return list
}

func statusName(code int) string { return http.StatusText(code) }

func exampleText(v any) string {
	if raw, ok := v.(json.RawMessage); ok {
		return string(raw)
	}
	return fmt.Sprint(v)
}

// curl is an operation's request with the examples of its parameters.
func curl(o pageOperation) string {
	path := o.Path
	query := url.Values{}
	var options []string
	for _, p := range o.Parameters {
		text := fmt.Sprint(p.Example)
		switch {
		case p.Example == nil && p.In != "path":
		case p.In == "path":
			if p.Example == nil {
				text = strings.ToUpper(p.Name)
			}
			path = strings.ReplaceAll(path, "{"+p.Name+"}", text)
		case p.In == "header":
			options = append(options, fmt.Sprintf("-H '%s: %s'", p.Name, text))
		case p.In == "query" && p.Name != "wait" && p.Name != "format":
			query.Set(p.Name, strings.Trim(text, "[]"))
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	if o.RequestBody != nil {
		for _, media := range slices.Sorted(maps.Keys(o.RequestBody.Content)) {
			if e := o.RequestBody.Content[media].Example; e != nil {
				options = append(options, fmt.Sprintf("-H 'Content-Type: %s' --data-binary '%s'", media, exampleText(e)))
			}
		}
	} else if o.Method != http.MethodGet {
		options = append(options, "-X "+o.Method)
	}
	if o.Right != "public" {
		options = append(options, `-H "Authorization: Bearer $MILLRACE_TOKEN"`)
	}
	return strings.Join(append([]string{"curl", "\"$MILLRACE_URL" + path + "\""}, options...), " ")
}
