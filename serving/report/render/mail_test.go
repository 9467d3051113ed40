package render_test

import (
	"testing"

	"github.com/millrace/millrace/serving/report/render"
)

func TestMailSamples(t *testing.T) {
	for name, d := range samples(t) {
		page, err := render.Page(d)
		if err != nil {
			t.Fatal(err)
		}
		keep(t, name+".html", page)
		text, err := render.Text(d)
		if err != nil {
			t.Fatal(err)
		}
		keep(t, name+".txt", text)
	}
}
