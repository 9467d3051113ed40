package render_test

import (
	"bytes"
	"testing"

	"github.com/millrace/millrace/serving/report/render"
)

func TestPDFSamples(t *testing.T) {
	for name, d := range samples(t) {
		t.Run(name, func(t *testing.T) {
			var file bytes.Buffer
			if err := render.PDF(&file, d); err != nil {
				t.Fatal(err)
			}
			keep(t, name+".pdf", file.Bytes())
		})
	}
}
