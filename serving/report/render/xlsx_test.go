package render_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/millrace/millrace/serving/report/render"
)

// sheet is what Python's openpyxl finds in a workbook.
type sheet struct {
	Name, Freeze, Filter string
	Charts               []string
	Widths               []float64
	Rows                 [][]*struct{ Type, Value, Format string }
}

// python finds an interpreter that has a module: Debian's modules are those of its own python3,
// which need not be the first of the path.
func python(t testing.TB, module string) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import "+module).Run() == nil {
			return name
		}
	}
	t.Fatalf("this test needs Python's %s: apt-get install python3-%s", module, module)
	return ""
}

func readWorkbook(t testing.TB, path string) []sheet {
	t.Helper()
	var complaint bytes.Buffer
	read := exec.Command(python(t, "openpyxl"), filepath.Join("testdata", "read_workbook.py"), path)
	read.Stderr = &complaint
	out, err := read.Output()
	if err != nil {
		t.Fatalf("openpyxl cannot read the workbook: %v\n%s", err, complaint.String())
	}
	var sheets []sheet
	if err := json.Unmarshal(out, &sheets); err != nil {
		t.Fatal(err)
	}
	return sheets
}

func TestWorkbookSamples(t *testing.T) {
	for name, d := range samples(t) {
		t.Run(name, func(t *testing.T) {
			var book bytes.Buffer
			if err := render.XLSX(&book, d); err != nil {
				t.Fatal(err)
			}
			keep(t, name+".xlsx", book.Bytes())
			sheets := readWorkbook(t, filepath.Join(samplesFolder, name+".xlsx"))
			for _, s := range sheets {
				t.Log(s.Name, s.Freeze, s.Filter, s.Charts, s.Widths, len(s.Rows))
			}
			if name == "table" {
				for _, r := range sheets[0].Rows {
					for _, c := range r {
						if c != nil {
							t.Logf("%q %s %s", c.Value, c.Type, c.Format)
						}
					}
				}
			}
		})
	}
}
