package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// archive is a zip as a validator sees it.
type archive struct {
	name     string // of the file
	root     string // of the sources
	files    map[string]zipped
	metadata metadata
}

type zipped struct {
	mode fs.FileMode
	text []byte
}

// metadata is plugin.json, with the fields that this plugin has: another is an error.
type metadata struct {
	Type, Name, ID, Category, Executable                     string
	Metrics, Logs, Annotations, Alerting, Streaming, Backend bool
	Includes                                                 []struct{ Type, Name, Path string }
	Info                                                     struct {
		Description, Version, Updated string
		Author                        struct{ Name, URL string }
		Keywords                      []string
		Logos                         struct{ Small, Large string }
		Links, Screenshots            []struct{ Name, URL, Path string }
	}
	Dependencies struct {
		GrafanaDependency string
		Plugins           []struct{ ID string }
	}
}

// openArchive reads a zip.
func openArchive(file, root string) (*archive, error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	a := &archive{name: filepath.Base(file), root: root, files: map[string]zipped{}}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		a.files[f.Name] = zipped{f.Mode(), text}
	}
	return a, nil
}

// inside returns a file of the plugin's folder.
func (a *archive) inside(name string) ([]byte, bool) {
	f, ok := a.files[path.Join(a.metadata.ID, name)]
	return f.text, ok
}

// rules are what the analyzers of Grafana's plugin validator, by their names, ask of an
// archive without a network, other tools or an account.
var rules = []struct {
	name  string
	check func(a *archive) error
}{
	{"metadata", checkMetadata},
	{"archivename", func(a *archive) error {
		return want(a.name == a.metadata.ID+"-"+a.metadata.Info.Version+".zip", "the file is named %s", a.name)
	}},
	{"archive", func(a *archive) error {
		for name := range a.files {
			if !strings.HasPrefix(name, a.metadata.ID+"/") || !fs.ValidPath(name) {
				return fmt.Errorf("%s lies outside of the plugin's folder", name)
			}
		}
		return nil
	}},
	{"pluginname", func(a *archive) error {
		return want(regexp.MustCompile(`^[0-9a-z]+-([0-9a-z]+-)?(app|panel|datasource)$`).MatchString(a.metadata.ID), "the id is %s", a.metadata.ID)
	}},
	{"typesuffix", func(a *archive) error {
		return want(strings.HasSuffix(a.metadata.ID, "-"+a.metadata.Type), "the id %s does not end with the type %s", a.metadata.ID, a.metadata.Type)
	}},
	{"version", func(a *archive) error {
		_, err := time.Parse(time.DateOnly, a.metadata.Info.Updated)
		return want(versionForm.MatchString(a.metadata.Info.Version) && err == nil, "version %s of %s", a.metadata.Info.Version, a.metadata.Info.Updated)
	}},
	{"discoverability", func(a *archive) error {
		return want(len(a.metadata.Info.Keywords) > 2 && len(a.metadata.Info.Description) > 20, "few keywords or no description")
	}},
	{"restrictivedep", func(a *archive) error {
		return want(regexp.MustCompile(`^>=\d+\.\d+\.\d+$`).MatchString(a.metadata.Dependencies.GrafanaDependency), "grafanaDependency %s", a.metadata.Dependencies.GrafanaDependency)
	}},
	{"circulardependencies", func(a *archive) error {
		return want(len(a.metadata.Dependencies.Plugins) == 0, "it depends on %v", a.metadata.Dependencies.Plugins)
	}},
	{"backendbinary", checkExecutables},
	{"backenddebug", func(a *archive) error {
		for name := range a.files {
			if base := path.Base(name); base == "standalone.txt" || base == "pid.txt" || strings.Contains(base, "debug") || base == ".DS_Store" {
				return fmt.Errorf("%s is in it", name)
			}
		}
		return nil
	}},
	{"go-manifest", checkManifest},
	{"modulejs", func(a *archive) error {
		text, _ := a.inside("module.js")
		return want(bytes.HasPrefix(bytes.TrimSpace(text), []byte("define(")), "module.js is no AMD module")
	}},
	{"jsMap", func(a *archive) error {
		text, _ := a.inside("module.js.map")
		return want(json.Valid(text), "module.js.map is not there")
	}},
	{"legacyplatform", func(a *archive) error {
		return a.without("module.js", "angular", "PanelCtrl", "QueryCtrl", "ConfigCtrl", "AnnotationsQueryCtrl", "$scope", "@grafana/toolkit")
	}},
	{"trackingscripts", func(a *archive) error {
		return a.without("module.js", "google-analytics", "googletagmanager", "segment.io", "hotjar", "mixpanel", "plausible.io")
	}},
	{"license", func(a *archive) error {
		text, _ := a.inside("LICENSE")
		return want(bytes.Contains(text, []byte("Apache License")) && bytes.Contains(text, []byte("Version 2.0")), "LICENSE is not the Apache licence")
	}},
	{"readme", func(a *archive) error {
		text, _ := a.inside("README.md")
		return want(len(text) > 500, "README.md has %d bytes", len(text))
	}},
	{"templatereadme", func(a *archive) error {
		return a.without("README.md", "This template is a starting point", "What are Grafana", "yarn", "npm run")
	}},
	{"changelog", func(a *archive) error {
		text, _ := a.inside("CHANGELOG.md")
		return want(len(text) > 20, "CHANGELOG.md is not there")
	}},
	{"logos", checkPaths},
	{"svg", checkPictures},
	{"safelinks", func(a *archive) error {
		for _, l := range append(a.metadata.Info.Links, struct{ Name, URL, Path string }{URL: a.metadata.Info.Author.URL}) {
			if u, err := url.Parse(l.URL); err != nil || u.Scheme != "https" || u.Host == "" {
				return fmt.Errorf("%s is not a safe link", l.URL)
			}
		}
		return nil
	}},
	{"nestedmetadata", func(a *archive) error {
		for name := range a.files {
			if path.Base(name) == "plugin.json" && name != a.metadata.ID+"/plugin.json" {
				return fmt.Errorf("%s is a second plugin", name)
			}
		}
		return nil
	}},
	{"manifest", func(a *archive) error {
		_, signed := a.inside("MANIFEST.txt")
		return want(!signed, "MANIFEST.txt would be a signature, and nobody has signed it")
	}},
}

func want(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// without refuses a file that is not there or holds any of some texts.
func (a *archive) without(name string, texts ...string) error {
	text, ok := a.inside(name)
	if !ok {
		return fmt.Errorf("%s is not there", name)
	}
	for _, t := range texts {
		if bytes.Contains(text, []byte(t)) {
			return fmt.Errorf("%s holds %q", name, t)
		}
	}
	return nil
}

// checkMetadata reads plugin.json; the other rules need it.
func checkMetadata(a *archive) error {
	for name, f := range a.files {
		if strings.Count(name, "/") != 1 || path.Base(name) != "plugin.json" {
			continue
		}
		decoder := json.NewDecoder(bytes.NewReader(f.text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&a.metadata); err != nil {
			return err
		}
		m := a.metadata
		return want(m.ID != "" && m.Name != "" && m.Info.Author.Name != "" && m.Type == "datasource" && m.Backend && m.Alerting && m.Streaming && m.Annotations && m.Metrics && m.Logs,
			"plugin.json lacks something: %+v", m)
	}
	return fmt.Errorf("plugin.json is not there")
}

// checkExecutables: there is one for each platform asked for, under the name that Grafana
// starts, and it may be started.
func checkExecutables(a *archive) error {
	found := 0
	for name, f := range a.files {
		base := path.Base(name)
		if !strings.HasPrefix(base, a.metadata.Executable+"_") {
			continue
		}
		found++
		if f.mode.Perm() != 0o755 {
			return fmt.Errorf("%s has the mode %v", base, f.mode)
		}
		if !regexp.MustCompile(`_(linux|darwin)_(amd64|arm64)$|_windows_amd64\.exe$`).MatchString(base) {
			return fmt.Errorf("%s is of no platform", base)
		}
	}
	return want(found > 0, "there is no executable %s", a.metadata.Executable)
}

// checkManifest: the sources that the manifest names are those that are here.
func checkManifest(a *archive) error {
	text, _ := a.inside(manifest)
	lines := strings.Fields(string(text))
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasSuffix(l, ":cmd/gpx_millrace_datasource/main.go") }) {
		return fmt.Errorf("the manifest does not name main.go")
	}
	for _, line := range lines {
		sum, name, _ := strings.Cut(line, ":")
		source, err := os.ReadFile(filepath.Join(a.root, name))
		if err != nil {
			return err
		}
		if sum != fmt.Sprintf("%x", sha256.Sum256(source)) {
			return fmt.Errorf("%s is another one", name)
		}
	}
	return nil
}

// checkPaths: what plugin.json refers to is there.
func checkPaths(a *archive) error {
	names := []string{a.metadata.Info.Logos.Small, a.metadata.Info.Logos.Large}
	for _, s := range a.metadata.Info.Screenshots {
		names = append(names, s.Path)
	}
	for _, i := range a.metadata.Includes {
		names = append(names, i.Path)
	}
	for _, name := range names {
		if _, ok := a.inside(name); !ok {
			return fmt.Errorf("plugin.json refers to %q, which is not there", name)
		}
	}
	return nil
}

// checkPictures: an SVG draws and does nothing else.
func checkPictures(a *archive) error {
	for name, f := range a.files {
		if path.Ext(name) != ".svg" {
			continue
		}
		decoder := xml.NewDecoder(bytes.NewReader(f.text))
		for {
			t, err := decoder.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			element, ok := t.(xml.StartElement)
			if !ok {
				continue
			}
			if slices.Contains([]string{"script", "foreignObject", "image", "use", "iframe", "a"}, element.Name.Local) {
				return fmt.Errorf("%s has <%s>", name, element.Name.Local)
			}
			for _, attribute := range element.Attr {
				if strings.HasPrefix(attribute.Name.Local, "on") || strings.Contains(attribute.Value, "javascript:") || attribute.Name.Local == "href" {
					return fmt.Errorf("%s has %s=%q", name, attribute.Name.Local, attribute.Value)
				}
			}
		}
	}
	return nil
}
