package report

import (
	"bytes"
	"fmt"
	"html/template"
	"time"

	"github.com/millrace/millrace/serving/report/render"
)

// noteTemplate is the body of a mail whose attachment is for programs: what it is and what
// it is made of.
var noteTemplate = template.Must(template.New("note").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>{{.Title}}</title></head>
<body style="font-family:system-ui,sans-serif;line-height:1.5">
<h1 style="font-size:1.3em">{{.Title}}</h1>
{{range .Lines}}<p>{{.}}</p>
{{end}}{{if .Unsubscribe}}<p><a href="{{.Unsubscribe}}">Unsubscribe</a></p>
{{end}}</body></html>
`))

// coverNote makes the body of a mail whose document was not made from rows here.
func coverNote(d *Definition, doc *render.Document, rows int64, unsubscribe string) (*mailParts, error) {
	lines := []string{fmt.Sprintf("%s: %d rows, attached as %s.", doc.Tick.In(d.Schedule.Zone).Format("Monday, 2 January 2006, 15:04 MST"), rows, d.fileName(doc.Tick))}
	for _, s := range doc.Sources {
		line := "Made of " + s.Name
		if s.Generation > 0 {
			line += fmt.Sprintf(", generation %d", s.Generation)
		}
		if !s.Complete {
			line += fmt.Sprintf(". Not complete: the newest events of %s are missing", time.Duration(s.LagMs)*time.Millisecond)
		}
		lines = append(lines, line+".")
	}
	var page bytes.Buffer
	err := noteTemplate.Execute(&page, struct {
		Title       string
		Lines       []string
		Unsubscribe string
	}{doc.Title, lines, unsubscribe})
	if err != nil {
		return nil, fmt.Errorf("write mail: %w", err)
	}
	text := doc.Title + "\n\n"
	for _, l := range lines {
		text += l + "\n"
	}
	if unsubscribe != "" {
		text += "\nUnsubscribe: " + unsubscribe + "\n"
	}
	return &mailParts{Page: page.Bytes(), Text: text}, nil
}
