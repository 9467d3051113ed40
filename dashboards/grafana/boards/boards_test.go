package boards

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

var update = flag.Bool("update", false, "write the dashboards")

// TestDashboardsAreWhatTheCodeMakes also writes them: see `make boards`. Each is read back
// strictly by Grafana's schema and must come out as it went in.
func TestDashboardsAreWhatTheCodeMakes(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	Register()
	for _, b := range All {
		made, err := b.JSON()
		if err != nil {
			t.Fatal(err)
		}
		path := b.Name + ".json"
		if *update {
			if err := os.WriteFile(path, made, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		kept, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(made, kept) {
			t.Errorf("%s is not what the code makes: run `make boards` and commit both", path)
		}
		read, err := bySchema(kept)
		if err != nil {
			t.Errorf("%s by Grafana's schema: %v", path, err)
			continue
		}
		again, err := json.MarshalIndent(read, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(append(again, '\n'), kept) {
			t.Errorf("%s: Grafana's schema loses something of it", path)
		}
	}
}

// bySchema reads a dashboard by Grafana's schema: no unknown field, none missing that is
// required, each of its type and within its limits.
func bySchema(text []byte) (*dashboard.Dashboard, error) {
	// The SDK's strict reading (0.0.22) returns an empty list of errors where there is
	// none, as an error that is not nil, and leaves the panels out then: so it is the
	// judge, and the lenient reading the reader.
	var errs cog.BuildErrors
	if err := new(dashboard.Dashboard).UnmarshalJSONStrict(text); err != nil && (!errors.As(err, &errs) || len(errs) > 0) {
		return nil, err
	}
	read := &dashboard.Dashboard{}
	if err := json.Unmarshal(text, read); err != nil {
		return nil, err
	}
	return read, read.Validate()
}

// TestSchemaHasTeeth shows that the check above fails where it should.
func TestSchemaHasTeeth(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	Register()
	good, err := All[0].JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to string }{
		{`"mode": "view"`, `"mode": "guess"`},
		{`"measures": [`, `"measurements": [`},
		{`"schemaVersion":`, `"schemaVersions":`},
	} {
		bad := strings.Replace(string(good), c.from, c.to, 1)
		if bad == string(good) {
			t.Fatalf("%s is not in the dashboard", c.from)
		}
		if _, err := bySchema([]byte(bad)); err == nil {
			t.Errorf("%s is taken", c.to)
		}
	}
}
