package render_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"testing"

	"github.com/millrace/millrace/serving/report/render"
)

func TestChartsDecode(t *testing.T) {
	for name, d := range samples(t) {
		t.Run(name, func(t *testing.T) {
			svg, err := render.SVG(d, 520, 300)
			if err != nil {
				t.Fatal(err)
			}
			keep(t, name+".svg", svg)
			for decoder := xml.NewDecoder(bytes.NewReader(svg)); ; {
				if _, err := decoder.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("the SVG is no XML: %v", err)
				}
			}
			picture, err := render.PNG(d, 520, 300)
			if err != nil {
				t.Fatal(err)
			}
			keep(t, name+".png", picture)
			config, err := png.Decode(bytes.NewReader(picture))
			if err != nil {
				t.Fatal(err)
			}
			if size := config.Bounds().Size(); size.X != 1040 || size.Y != 600 {
				t.Errorf("the picture is %v", size)
			}
		})
	}
}
