package openapi

import (
	"encoding/json"
	"fmt"
	"mime"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
)

// problemName is the schema of errors.
const problemName = "Problem"

// schemas makes the schemas of Go types; those of named structs are components.
type schemas struct {
	into map[string]*jsonschema.Schema
	refs map[reflect.Type]*jsonschema.Schema
}

func newSchemas(into map[string]*jsonschema.Schema) *schemas {
	roles := make([]any, len(access.Roles)+1)
	for i, r := range access.Roles {
		roles[i] = string(r)
	}
	roles[len(access.Roles)] = "" // nobody
	return &schemas{into: into, refs: map[reflect.Type]*jsonschema.Schema{
		// These are written by their own encoders.
		reflect.TypeFor[time.Time]():       {Type: "string", Format: "date-time"},
		reflect.TypeFor[[]byte]():          {Type: "string", ContentEncoding: "base64"},
		reflect.TypeFor[json.RawMessage](): {},
		reflect.TypeFor[access.Role]():     {Type: "string", Enum: roles},
	}}
}

func reference(name string) *jsonschema.Schema {
	return &jsonschema.Schema{Ref: "#/components/schemas/" + name}
}

// problem adds the schema of errors, with every type that there is.
func (s *schemas) problem() error {
	if _, err := s.of(reflect.TypeFor[problem.Problem]()); err != nil {
		return err
	}
	kinds := make([]any, len(problem.Kinds))
	for i, k := range problem.Kinds {
		kinds[i] = "/problems/" + k.Name
	}
	s.into[problemName].Properties["type"].Enum = kinds
	return nil
}

// of returns the schema of a type: a reference where it is a named struct.
func (s *schemas) of(t reflect.Type) (*jsonschema.Schema, error) {
	if err := s.addStructs(t, map[reflect.Type]bool{}); err != nil {
		return nil, err
	}
	made, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: s.refs})
	if err != nil {
		return nil, err
	}
	return nullable(made), nil
}

// nullable mends what the library makes of a pointer to a type with a schema of ours: it
// adds null to the types, which beside a reference says that it can be nothing but null.
func nullable(s *jsonschema.Schema) *jsonschema.Schema {
	if s == nil {
		return nil
	}
	if len(s.Types) == 1 && s.Types[0] == "null" {
		s.Types = nil
		if s.Ref != "" {
			return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Ref: s.Ref}, {Type: "null"}}, Description: s.Description}
		}
	}
	for name, inner := range s.Properties {
		s.Properties[name] = nullable(inner)
	}
	s.Items, s.AdditionalProperties = nullable(s.Items), nullable(s.AdditionalProperties)
	return s
}

// addStructs makes components of the named structs in a type, the inner ones first.
func (s *schemas) addStructs(t reflect.Type, under map[reflect.Type]bool) error {
	if s.refs[t] != nil || under[t] {
		return nil
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return s.addStructs(t.Elem(), under)
	case reflect.Struct:
	default:
		return nil
	}
	under[t] = true
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Tag.Get("json") == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		inner := f.Type
		if f.Anonymous && f.Tag.Get("json") == "" { // its fields are those of the outer one
			for j := range inner.NumField() {
				if err := s.addStructs(inner.Field(j).Type, under); err != nil {
					return err
				}
			}
			continue
		}
		if err := s.addStructs(inner, under); err != nil {
			return err
		}
	}
	if t.Name() == "" {
		return nil
	}
	without := map[reflect.Type]*jsonschema.Schema{}
	for inner, ref := range s.refs {
		if !embeds(t, inner) {
			without[inner] = ref
		}
	}
	made, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: without})
	if err != nil {
		return fmt.Errorf("schema of %s: %w", t, err)
	}
	name := s.name(t)
	s.into[name], s.refs[t] = nullable(made), reference(name)
	return nil
}

// embeds reports whether a struct takes over the fields of another.
func embeds(t, inner reflect.Type) bool {
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous && f.Type == inner {
			return true
		}
	}
	return false
}

// name is a type's name, with that of its package before it where two have the same.
func (s *schemas) name(t reflect.Type) string {
	name := capital(t.Name())
	if s.into[name] != nil {
		name = capital(t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:]) + name
	}
	return name
}

func capital(name string) string {
	letters := []rune(name)
	letters[0] = unicode.ToUpper(letters[0])
	return string(letters)
}

// media describes a body of a media type whose Go value is v; nil: any.
func (s *schemas) media(contentType string, v any) (Media, error) {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return Media{}, fmt.Errorf("media type %q: %w", contentType, err)
	}
	var schema *jsonschema.Schema
	if v != nil {
		if schema, err = s.of(reflect.TypeOf(v)); err != nil {
			return Media{}, err
		}
	}
	switch {
	case media == "application/json":
		return Media{Schema: schema}, nil
	case media == "application/x-ndjson":
		// No schema of the whole: validators would take it for one JSON value.
		return Media{Line: schema}, nil
	case media == "text/event-stream":
		return Media{Schema: &jsonschema.Schema{Type: "string"}, Event: schema}, nil
	case strings.HasPrefix(media, "text/"):
		return Media{Schema: &jsonschema.Schema{Type: "string"}}, nil
	}
	return Media{}, nil // bytes
}

// example is the example of a body: a value for JSON, text for the rest. It is in the
// first media type only.
func example(media, text string, first bool) (any, error) {
	if text == "" || !first {
		return nil, nil
	}
	if media != "application/json" {
		return text, nil
	}
	if !json.Valid([]byte(text)) {
		return nil, fmt.Errorf("the example %q is no JSON", text)
	}
	return json.RawMessage(text), nil
}
