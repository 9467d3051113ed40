package render

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
)

// Limits of a mail's page.
const (
	// maxPageBytes is below the 102 KB at which Gmail cuts a message.
	maxPageBytes = 90 << 10
	// A mail's table has at most these rows, columns and characters in a cell.
	maxMailRows    = 25
	maxMailColumns = 8
	maxMailCell    = 160
	// shownWidth is the width of a mail's sheet within its margins. The picture is drawn for a
	// smaller one, so that its text is still read on a phone.
	shownWidth, pictureWidth = 560, 480
	// contentID names the chart in a mail.
	contentID = "chart@millrace"
)

//go:embed mail.html
var mailSource string

var mailTemplate = template.Must(template.New("mail").Parse(mailSource))

// mailPage is what the template shows.
type mailPage struct {
	Name, Title, Tick, Zone string
	Warnings                []string
	Figures                 []figure
	Picture                 template.URL // ours: a Content-ID or an encoded picture
	Width                   int
	Alt                     string
	Columns                 []mailColumn
	Rows                    [][]mailCell
	Notes, Provenance       []string
	Unsubscribe             string
}

type mailColumn struct{ Name, Align string }

type mailCell struct {
	Text, Align  string
	Null, Nowrap bool
}

// HTML returns the page of a mail and the images that it names by Content-ID. The page has
// neither scripts nor anything that is loaded from elsewhere, and is small enough that mail
// clients show all of it.
func HTML(d *Document) (page []byte, images []Image, err error) {
	if d.drawn() {
		picture, err := mailPicture(d)
		if err != nil {
			return nil, nil, err
		}
		images = []Image{{ContentID: contentID, ContentType: "image/png", Name: "chart.png", Data: picture}}
	}
	page, err = mail(d, "cid:"+contentID)
	return page, images, err
}

// Page returns the mail's page as a file of its own, with its images inside.
func Page(d *Document) ([]byte, error) {
	if !d.drawn() {
		return mail(d, "")
	}
	picture, err := mailPicture(d)
	if err != nil {
		return nil, err
	}
	return mail(d, "data:image/png;base64,"+base64.StdEncoding.EncodeToString(picture))
}

func mailPicture(d *Document) ([]byte, error) {
	return PNG(d, pictureWidth, chartHeight(d))
}

// mail executes the template with as many rows as the page may have bytes.
func mail(d *Document, picture string) ([]byte, error) {
	p := mailPage{
		Name: nameOf(d.Name), Title: d.title(), Tick: tickLine(d), Zone: d.zone().String(),
		Warnings: warnings(d), Figures: headline(d), Provenance: provenance(d),
		Width: shownWidth, Alt: shorten(describeChart(d), 300), Unsubscribe: d.Unsubscribe,
	}
	if d.drawn() {
		p.Picture = template.URL(picture)
	}
	for rows := min(maxMailRows, len(d.Table.Rows)); ; rows /= 2 {
		fillTable(&p, d, rows)
		var page bytes.Buffer
		if err := mailTemplate.Execute(&page, p); err != nil {
			return nil, fmt.Errorf("render HTML: %w", err)
		}
		if page.Len()-len(p.Picture) <= maxPageBytes || rows == 0 {
			return page.Bytes(), nil
		}
	}
}

// fillTable takes the table's first rows and says what it leaves out.
func fillTable(p *mailPage, d *Document, rows int) {
	t := &d.Table
	columns := min(maxMailColumns, len(t.Columns))
	formatters := make([]formatter, columns)
	p.Columns, p.Rows = nil, nil
	for i := range columns {
		formatters[i] = newFormatter(t, i, d.zone())
		p.Columns = append(p.Columns, mailColumn{nameOf(t.Columns[i].Name), t.Columns[i].align()})
	}
	for _, row := range t.Rows[:rows] {
		cells := make([]mailCell, columns)
		for i, f := range formatters {
			text := f.brief(row[i], maxMailCell)
			cells[i] = mailCell{Text: text, Align: f.column.align(), Null: row[i] == nil, Nowrap: f.column.kind() != kindText && len(text) < 32}
		}
		p.Rows = append(p.Rows, cells)
	}
	p.Notes = leftOut(d, rows, columns)
}

// leftOut says which rows and columns of the table a page does not show, and where they are.
func leftOut(d *Document, rows, columns int) []string {
	var parts []string
	if n := len(d.Table.Rows) - rows; n > 0 {
		parts = append(parts, counted(n, "more row", "more rows"))
	}
	if n := len(d.Table.Columns) - columns; n > 0 {
		parts = append(parts, counted(n, "more column", "more columns"))
	}
	if len(parts) == 0 {
		return nil
	}
	where := "not shown here"
	if d.Attachment != "" {
		where = "in the attachment " + nameOf(d.Attachment)
	}
	return []string{strings.Join(parts, " and ") + ", " + where + "."}
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(fmt.Sprint(n)) + " " + many
}

// align sets numbers to the right, so that digits of one weight stand below each other.
func (c Column) align() string {
	if c.kind() == kindNumber {
		return "right"
	}
	return "left"
}
