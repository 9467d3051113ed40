package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// licences returns the licence texts of the packages whose files are in the bundle, as
// these licences ask for.
func licences(metafile string) ([]byte, error) {
	var meta struct {
		Inputs map[string]any `json:"inputs"`
	}
	if err := json.Unmarshal([]byte(metafile), &meta); err != nil {
		return nil, err
	}
	packages := map[string]bool{}
	for input := range meta.Inputs {
		if name, ok := packageOf(input); ok {
			packages[name] = true
		}
	}
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		found, err := filepath.Glob(filepath.Join("node_modules", name, "LICENSE*"))
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("npm package %s has no file LICENSE", name)
		}
		text, err := os.ReadFile(found[0])
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s\n\n%s\n\n\n", name, bytes.TrimSpace(text))
	}
	return b.Bytes(), nil
}

// packageOf returns the npm package that a file of the bundle is from.
func packageOf(input string) (string, bool) {
	rest, ok := strings.CutPrefix(input, "node_modules/")
	if !ok {
		return "", false
	}
	parts := strings.SplitN(rest, "/", 3)
	if strings.HasPrefix(rest, "@") {
		return parts[0] + "/" + parts[1], true
	}
	return parts[0], true
}
