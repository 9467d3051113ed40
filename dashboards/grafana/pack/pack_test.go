package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/millrace/millrace/dashboards/grafana/boards"
	"github.com/millrace/millrace/dashboards/grafana/datasource"
)

// root is where the sources lie.
const root = "../../.."

const version = "1.2.3-test"

// built is the date of the zips.
var built = time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)

// makeZip makes a zip for this machine's platform.
func makeZip(t *testing.T) string {
	t.Helper()
	t.Setenv("SOURCE_DATE_EPOCH", strconv.FormatInt(built.Unix(), 10))
	at, err := date()
	if err != nil || !at.Equal(built) {
		t.Fatal(at, err)
	}
	file := filepath.Join(t.TempDir(), datasource.PluginID+"-"+version+".zip")
	if err := pack(t.Context(), file, options{version: version, sources: root, platforms: []string{runtime.GOOS + "/" + runtime.GOARCH}, built: at}); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestZip makes the zip and holds it against every rule.
func TestZip(t *testing.T) {
	file := makeZip(t)
	a, err := openArchive(file, root)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		if err := r.check(a); err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
	}
	if a.metadata.ID != datasource.PluginID || a.metadata.Executable != executable {
		t.Errorf("plugin.json says %s, %s", a.metadata.ID, a.metadata.Executable)
	}
	for _, b := range boards.All {
		want, err := os.ReadFile(filepath.Join("..", "boards", b.Name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := a.inside("dashboards/" + b.Name + ".json"); !bytes.Equal(got, want) {
			t.Errorf("the zip's dashboard %s is another one", b.Name)
		}
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, %d bytes for one platform", len(a.files), info.Size())

	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(makeZip(t)); err != nil || !bytes.Equal(first, second) {
		t.Errorf("the same sources give another zip: %v", err)
	}
}

// TestRulesHaveTeeth breaks the archive for each rule and sees it fail.
func TestRulesHaveTeeth(t *testing.T) {
	good, err := openArchive(makeZip(t), root)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkMetadata(good); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return datasource.PluginID + "/" + name }
	replace := func(name, from, to string) func(*archive) {
		return func(a *archive) {
			f := a.files[in(name)]
			f.text = bytes.Replace(f.text, []byte(from), []byte(to), 1)
			a.files[in(name)] = f
		}
	}
	drop := func(name string) func(*archive) { return func(a *archive) { delete(a.files, in(name)) } }
	add := func(name, text string) func(*archive) {
		return func(a *archive) { a.files[name] = zipped{0o644, []byte(text)} }
	}
	broken := map[string]func(*archive){
		"metadata":             replace("plugin.json", `"backend": true`, `"backened": true`),
		"archivename":          func(a *archive) { a.name = "plugin.zip" },
		"archive":              add("elsewhere/x", ""),
		"pluginname":           func(a *archive) { a.metadata.ID = "Millrace_datasource" },
		"typesuffix":           func(a *archive) { a.metadata.Type = "panel" },
		"version":              func(a *archive) { a.metadata.Info.Version = "latest" },
		"discoverability":      func(a *archive) { a.metadata.Info.Keywords = nil },
		"restrictivedep":       func(a *archive) { a.metadata.Dependencies.GrafanaDependency = "*" },
		"circulardependencies": func(a *archive) { a.metadata.Dependencies.Plugins = []struct{ ID string }{{datasource.PluginID}} },
		"backendbinary": func(a *archive) {
			for name, f := range a.files {
				if strings.Contains(name, executable+"_") {
					f.mode = 0o644
					a.files[name] = f
				}
			}
		},
		"backenddebug":    add(in("dist/standalone.txt"), ""),
		"go-manifest":     replace(manifest, "a", "b"),
		"modulejs":        replace("module.js", "define(", "System.register("),
		"jsMap":           drop("module.js.map"),
		"legacyplatform":  replace("module.js", "define(", "define(/*PanelCtrl*/"),
		"trackingscripts": replace("module.js", "define(", "define(/*google-analytics*/"),
		"license":         drop("LICENSE"),
		"readme":          drop("README.md"),
		"templatereadme":  replace("README.md", "# ", "# What are Grafana plugins? "),
		"changelog":       drop("CHANGELOG.md"),
		"logos":           drop("dashboards/flights.json"),
		"svg":             add(in("img/x.svg"), `<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>`),
		"safelinks":       func(a *archive) { a.metadata.Info.Links[0].URL = "http://example.org" },
		"nestedmetadata":  add(in("x/plugin.json"), "{}"),
		"manifest":        add(in("MANIFEST.txt"), "signed"),
	}
	for _, r := range rules {
		change, ok := broken[r.name]
		if !ok {
			t.Errorf("%s is not tried", r.name)
			continue
		}
		a := *good
		a.files = maps.Clone(good.files)
		a.metadata.Info.Links = append(a.metadata.Info.Links[:0:0], a.metadata.Info.Links...)
		change(&a)
		if r.check(&a) == nil {
			t.Errorf("%s takes an archive that is broken for it", r.name)
		}
	}
}

func TestRefusesVersionsAndPlatforms(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{nil, "is not one such as 1.2.3"},
		{[]string{"-version", "v1"}, "is not one such as 1.2.3"},
	} {
		if err := run(t.Context(), c.args); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v", c.args, err)
		}
	}
	if _, err := backEntries(t.Context(), options{platforms: []string{"linux"}}); err == nil || !strings.Contains(err.Error(), "linux/amd64") {
		t.Errorf("%v", err)
	}
}

// TestProvisioning: the files that set Grafana up speak of this plugin, with settings that
// it has.
func TestProvisioning(t *testing.T) {
	read := func(name string, into any) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(root, "deploy", "grafana", name))
		if err != nil {
			t.Fatal(err)
		}
		decoder := yaml.NewDecoder(bytes.NewReader(text))
		decoder.KnownFields(true)
		if err := decoder.Decode(into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault                    bool `yaml:"isDefault"`
			JSONData                     struct {
				TimeoutSeconds float64 `yaml:"timeoutSeconds"`
				TLSSkipVerify  bool    `yaml:"tlsSkipVerify"`
			} `yaml:"jsonData"`
			SecureJSONData struct{ Token string } `yaml:"secureJsonData"`
		}
	}
	read("provisioning/datasources/millrace.yaml", &sources)
	if s := sources.Datasources; len(s) != 1 || s[0].Type != datasource.PluginID || s[0].Access != "proxy" || s[0].SecureJSONData.Token != "$MILLRACE_TOKEN" {
		t.Errorf("%+v", s)
	}
	var providers struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Folder, Type    string
			DisableDeletion       bool `yaml:"disableDeletion"`
			AllowUIUpdates        bool `yaml:"allowUiUpdates"`
			UpdateIntervalSeconds int  `yaml:"updateIntervalSeconds"`
			Options               struct{ Path string }
		}
	}
	read("provisioning/dashboards/millrace.yaml", &providers)
	if p := providers.Providers; len(p) != 1 || p[0].Type != "file" || !strings.HasSuffix(p[0].Options.Path, "/"+datasource.PluginID+"/dashboards") {
		t.Errorf("%+v", p)
	}
	env, err := os.ReadFile(filepath.Join(root, "deploy", "grafana", "grafana.env"))
	if err != nil || !strings.Contains(string(env), "\nGF_PLUGINS_ALLOW_LOADING_UNSIGNED_PLUGINS="+datasource.PluginID+"\n") {
		t.Errorf("%s, %v", env, err)
	}
}
