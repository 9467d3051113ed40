package plugin

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFrontEnd installs, checks, builds and tests the front end with its own tools; the
// component tests run in the system's Chromium.
func TestFrontEnd(t *testing.T) {
	readInputs(t)
	for program, what := range map[string]string{
		"npm":      "Node.js 20.19 or newer with npm",
		"chromium": "Chromium: apt-get install chromium",
	} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("this test needs %s: %v", what, err)
		}
	}
	f := FrontEnd{"."}
	started := time.Now()
	if err := f.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("packages are there after %v", time.Since(started).Round(time.Second))
	for _, script := range []string{"typecheck", "lint", "build", "test"} { // the tests load what was built
		t.Run(script, func(t *testing.T) {
			if err := f.Run(t.Context(), script); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestBuildHasItsVersion(t *testing.T) {
	into := filepath.Join(t.TempDir(), "made")
	if err := (FrontEnd{"."}).Build(t.Context(), "1.2.3", into); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"module.js", "plugin.json", "img/logo.svg", "README.md", "CHANGELOG.md", "LICENSE"} {
		if _, err := os.Stat(filepath.Join(into, name)); err != nil {
			t.Error(err)
		}
	}
	manifest, err := os.ReadFile(filepath.Join(into, "plugin.json"))
	if err != nil {
		t.Fatal(err)
	}
	if want := `"version": "1.2.3"`; !strings.Contains(string(manifest), want) {
		t.Errorf("plugin.json is without %s:\n%s", want, manifest)
	}
}

// readInputs reads what npm's scripts will read, so that the go command knows to run this
// test again once one of these files has changed.
func readInputs(t *testing.T) {
	t.Helper()
	inputs := []string{"package.json", "package-lock.json", "tsconfig.json", "eslint.config.js", "vite.config.ts", "../../../LICENSE"}
	for _, dir := range []string{"src", "test"} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				inputs = append(inputs, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range inputs {
		if _, err := os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
}
