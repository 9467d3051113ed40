package problem

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestKindsAreThoseOfTheCode reads the source of the whole module: every literal kind that
// New is called with is listed, with its status, and every kind that is listed occurs.
func TestKindsAreThoseOfTheCode(t *testing.T) {
	status := map[string]int{
		"StatusBadRequest": http.StatusBadRequest, "StatusUnauthorized": http.StatusUnauthorized, "StatusForbidden": http.StatusForbidden,
		"StatusNotFound": http.StatusNotFound, "StatusMethodNotAllowed": http.StatusMethodNotAllowed, "StatusConflict": http.StatusConflict,
		"StatusRequestEntityTooLarge": http.StatusRequestEntityTooLarge, "StatusUnsupportedMediaType": http.StatusUnsupportedMediaType,
		"StatusUnprocessableEntity": http.StatusUnprocessableEntity, "StatusTooManyRequests": http.StatusTooManyRequests,
		"StatusInternalServerError": http.StatusInternalServerError, "StatusServiceUnavailable": http.StatusServiceUnavailable,
		"StatusGatewayTimeout": http.StatusGatewayTimeout, "StatusNotImplemented": http.StatusNotImplemented, "StatusGone": http.StatusGone,
		"StatusInsufficientStorage": http.StatusInsufficientStorage, "StatusNotAcceptable": http.StatusNotAcceptable,
	}
	listed := map[string]Kind{}
	for _, k := range Kinds {
		if _, twice := listed[k.Name]; twice || k.About == "" || http.StatusText(k.Status) == "" {
			t.Errorf("kind %s is listed twice, or without a status or what it is about", k.Name)
		}
		listed[k.Name] = k
	}
	texts := map[string]bool{} // every string in the code
	calls := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "kinds.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if text, ok := literal(n); ok {
				texts[text] = true
			}
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 4 || name(call.Fun) != "New" {
				return true
			}
			kind, ok := literal(call.Args[1])
			want, known := status[name(call.Args[0])]
			if of, selected := call.Args[0].(*ast.SelectorExpr); !ok || !selected || name(of.X) != "http" {
				return true // neither the status nor the kind is written out
			}
			calls++
			if !known {
				t.Errorf("%s: %s is not known to this test", path, name(call.Args[0]))
			} else if k, found := listed[kind]; !found || k.Status != want {
				t.Errorf("%s: kind %q with status %d: list it in internal/problem/kinds.go (there: %+v)", path, kind, want, k)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls < 20 {
		t.Errorf("only %d calls of New were found", calls)
	}
	for kind := range listed {
		prefix, rest, _ := strings.Cut(kind, "-")
		inParts := texts[prefix+"-"] && texts[rest]
		if !texts[kind] && !inParts {
			t.Errorf("kind %s is listed, but nothing answers with it", kind)
		}
	}
}

func name(n ast.Expr) string {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		return n.Sel.Name
	case *ast.Ident:
		return n.Name
	}
	return ""
}

func literal(n ast.Node) (string, bool) {
	l, ok := n.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}
