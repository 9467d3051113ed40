package console

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
)

var update = flag.Bool("update", false, "write dist from src")

// installed brings the pinned packages once for all tests.
var installed = sync.OnceValue(func() error {
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, text)
	}
	return nil
})

func install(t *testing.T) {
	t.Helper()
	if err := installed(); err != nil {
		t.Fatal(err)
	}
}

// TestDistIsBuiltFromSources also builds it: see `make console`.
func TestDistIsBuiltFromSources(t *testing.T) {
	install(t)
	built, err := bundle()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := replace("dist", built); err != nil {
			t.Fatal(err)
		}
		return
	}
	entries, err := os.ReadDir("dist")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string][]byte{}
	for _, e := range entries {
		if have[e.Name()], err = os.ReadFile(filepath.Join("dist", e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	if !maps.EqualFunc(have, built, bytes.Equal) {
		t.Errorf("dist has %v and src gives %v: run `make console` and commit both",
			slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(built)))
	}
}

// replace makes a directory of exactly these files.
func replace(dir string, files map[string][]byte) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

const fontFile = "node_modules/@fontsource-variable/archivo/files/archivo-latin-wght-normal.woff2"

// bundle builds the files of dist: scripts, styles and font named by their content, the
// page that names them, and the licences of what is in them.
func bundle() (map[string][]byte, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	made := api.Build(api.BuildOptions{
		AbsWorkingDir: dir, Outdir: filepath.Join(dir, "dist"), PublicPath: "/console",
		EntryPointsAdvanced: []api.EntryPoint{
			{InputPath: "src/main.tsx", OutputPath: "app"}, {InputPath: fontFile, OutputPath: "archivo"}, {InputPath: "src/icon.svg", OutputPath: "icon"},
		},
		EntryNames: "[name]-[hash]", ChunkNames: "[name]-[hash]", AssetNames: "[name]-[hash]",
		Bundle: true, Splitting: true, Format: api.FormatESModule, Target: api.ES2022, Charset: api.CharsetUTF8,
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
		LegalComments: api.LegalCommentsNone, // licences.txt has the whole texts
		Loader:        map[string]api.Loader{".woff2": api.LoaderCopy, ".svg": api.LoaderCopy},
		JSX:           api.JSXAutomatic, JSXImportSource: "preact", Metafile: true,
	})
	if problems := slices.Concat(made.Errors, made.Warnings); len(problems) > 0 {
		return nil, fmt.Errorf("esbuild: %s", strings.Join(api.FormatMessages(problems, api.FormatMessagesOptions{}), "\n"))
	}
	files := map[string][]byte{}
	for _, f := range made.OutputFiles {
		files[filepath.Base(f.Path)] = f.Contents
	}
	if files[index], err = pageFor(slices.Sorted(maps.Keys(files))); err != nil {
		return nil, err
	}
	if files["licences.txt"], err = licences(made.Metafile); err != nil {
		return nil, err
	}
	return files, nil
}

// pageFor fills the names of the built files into the page.
func pageFor(names []string) ([]byte, error) {
	page, err := os.ReadFile("src/index.html")
	if err != nil {
		return nil, err
	}
	for placeholder, pattern := range map[string]string{
		"{{script}}": "app-*.js", "{{style}}": "app-*.css", "{{font}}": "archivo-*.woff2", "{{icon}}": "icon-*.svg",
	} {
		i := slices.IndexFunc(names, func(name string) bool { ok, _ := path.Match(pattern, name); return ok })
		if i < 0 {
			return nil, fmt.Errorf("nothing was built that is named %s; there are %v", pattern, names)
		}
		page = bytes.ReplaceAll(page, []byte(placeholder), []byte("/console/"+names[i]))
	}
	return page, nil
}
