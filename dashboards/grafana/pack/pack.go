package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/dashboards/grafana/boards"
	"github.com/millrace/millrace/dashboards/grafana/datasource"
	"github.com/millrace/millrace/dashboards/grafana/plugin"
)

// allPlatforms are those that Grafana runs on.
var allPlatforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64"}

const (
	module     = "github.com/millrace/millrace"
	backend    = module + "/cmd/gpx_millrace_datasource"
	executable = "gpx_millrace_datasource"
	// manifest names the sources of the back end with their checksums, as the SDK's own
	// build does, so that a reviewer can tell what was compiled.
	manifest = "go_plugin_build_manifest"
	// buildInfo is the variable of the SDK that tells Grafana what runs.
	buildInfo = "github.com/grafana/grafana-plugin-sdk-go/build/buildinfo.buildInfoJSON"
)

// versionForm is semantic versioning, which Grafana compares plugins by.
var versionForm = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// options say what goes into a zip.
type options struct {
	version   string
	sources   string // root of the sources
	platforms []string
	built     time.Time
}

// entry is one file of the zip.
type entry struct {
	name string // below the plugin's folder
	mode fs.FileMode
	text []byte
}

// pack writes the zip. It is there whole or not at all.
func pack(ctx context.Context, file string, o options) error {
	entries, err := frontEntries(ctx, o)
	if err != nil {
		return err
	}
	for _, b := range boards.All {
		text, err := b.JSON()
		if err != nil {
			return err
		}
		entries = append(entries, entry{"dashboards/" + b.Name + ".json", 0o644, text})
	}
	back, err := backEntries(ctx, o)
	if err != nil {
		return err
	}
	entries = append(entries, back...)
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return write(file, entries, o.built)
}

// frontEntries are the files of the front end, built anew.
func frontEntries(ctx context.Context, o options) ([]entry, error) {
	dir, err := os.MkdirTemp("", "millrace-plugin-")
	if err != nil {
		return nil, fmt.Errorf("make folder for the front end: %w", err)
	}
	defer os.RemoveAll(dir)
	frontEnd := plugin.FrontEnd{Dir: filepath.Join(o.sources, "dashboards", "grafana", "plugin")}
	if err := frontEnd.Build(ctx, o.version, dir); err != nil {
		return nil, err
	}
	var entries []entry
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, p)
		entries = append(entries, entry{filepath.ToSlash(name), 0o644, text})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the front end: %w", err)
	}
	return entries, nil
}

// backEntries are the executables of the platforms, and their manifest.
func backEntries(ctx context.Context, o options) ([]entry, error) {
	dir, err := os.MkdirTemp("", "millrace-plugin-")
	if err != nil {
		return nil, fmt.Errorf("make folder for the back end: %w", err)
	}
	defer os.RemoveAll(dir)
	var entries []entry
	for _, platform := range o.platforms {
		system, processor, ok := strings.Cut(platform, "/")
		if !ok {
			return nil, fmt.Errorf("platform %q is not one such as linux/amd64", platform)
		}
		name := executable + "_" + system + "_" + processor
		if system == "windows" {
			name += ".exe"
		}
		if err := compile(ctx, filepath.Join(dir, name), system, processor, o); err != nil {
			return nil, err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("read the back end: %w", err)
		}
		entries = append(entries, entry{name, 0o755, text})
	}
	sums, err := sources(ctx)
	if err != nil {
		return nil, err
	}
	return append(entries, entry{manifest, 0o644, sums}), nil
}

// compile builds the back end for a platform.
func compile(ctx context.Context, file, system, processor string, o options) error {
	info, err := json.Marshal(map[string]any{"time": o.built.UnixMilli(), "pluginID": datasource.PluginID, "version": o.version})
	if err != nil {
		return fmt.Errorf("write the build's facts: %w", err)
	}
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", fmt.Sprintf("-s -w -X '%s=%s'", buildInfo, info), "-o", file, backend)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+processor)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build the back end for %s/%s: %w\n%s", system, processor, err, out)
	}
	return nil
}

// sources are the files of this module that the back end is compiled of, with their
// checksums.
func sources(ctx context.Context) ([]byte, error) {
	list := exec.CommandContext(ctx, "go", "list", "-deps", "-f", `{{if .Module}}{{if eq .Module.Path "`+module+`"}}{{$dir := .Dir}}{{range .GoFiles}}{{$dir}}/{{.}}
{{end}}{{end}}{{end}}`, backend)
	text, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("list the sources of the back end: %w", err)
	}
	where := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module)
	root, err := where.Output()
	if err != nil {
		return nil, fmt.Errorf("find the sources: %w", err)
	}
	var out bytes.Buffer
	for _, file := range slices.Sorted(strings.FieldsSeq(string(text))) {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read a source: %w", err)
		}
		name, err := filepath.Rel(strings.TrimSpace(string(root)), file)
		if err != nil {
			return nil, fmt.Errorf("name a source: %w", err)
		}
		fmt.Fprintf(&out, "%x:%s\n", sha256.Sum256(content), filepath.ToSlash(name))
	}
	return out.Bytes(), nil
}

// write writes the zip under another name and then gives it its own.
func write(file string, entries []entry, at time.Time) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("make folder of the zip: %w", err)
	}
	out, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file))
	if err != nil {
		return fmt.Errorf("create the zip: %w", err)
	}
	defer os.Remove(out.Name()) // there only where something failed
	if err := writeEntries(out, entries, at); err != nil {
		_ = out.Close()
		return fmt.Errorf("write the zip: %w", err)
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("write the zip: %w", err)
	}
	if err := os.Chmod(out.Name(), 0o644); err != nil {
		return fmt.Errorf("write the zip: %w", err)
	}
	return os.Rename(out.Name(), file)
}

func writeEntries(out io.Writer, entries []entry, at time.Time) error {
	z := zip.NewWriter(out)
	for _, e := range entries {
		header := &zip.FileHeader{Name: path.Join(datasource.PluginID, e.name), Method: zip.Deflate, Modified: at}
		header.SetMode(e.mode)
		w, err := z.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := w.Write(e.text); err != nil {
			return err
		}
	}
	return z.Close()
}
