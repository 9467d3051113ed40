package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"strings"
	"time"

	"github.com/millrace/millrace/serving/report/deliver"
	"github.com/millrace/millrace/serving/report/ledger"
	"github.com/millrace/millrace/serving/report/render"
)

// product is what one run makes.
type product struct {
	content     []byte
	mail        *mailParts // nil: nobody gets it by mail
	rows        int64
	generations []ledger.Generation
}

// mailParts are what mails have beside the document. They are kept with the run, since a
// later attempt, in another process, sends the same.
type mailParts struct {
	Page   []byte          `json:"page"`
	Text   string          `json:"text"`
	Images []deliver.Image `json:"images,omitempty"`
}

// unsubscribePlace stands in a mail's parts for the recipient's own link. It has no
// character that HTML would escape.
const unsubscribePlace = "https://unsubscribe.invalid/MILLRACE-RECIPIENT"

// forRecipient puts the recipient's link in its place.
func (p *mailParts) forRecipient(link string) (page []byte, text string) {
	page = bytes.ReplaceAll(p.Page, []byte(unsubscribePlace), []byte(html.EscapeString(link)))
	return page, strings.ReplaceAll(p.Text, unsubscribePlace, link)
}

// errTooLarge ends a run: another attempt would be as large.
var errTooLarge = errors.New("the document is too large")

// make answers the query and makes the document.
func (s *Scheduler) make(ctx context.Context, d *Definition, tick time.Time) (*product, error) {
	select {
	case s.queries <- struct{}{}:
		defer func() { <-s.queries }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	start := time.Now()
	defer func() { s.metrics.seconds.Observe(time.Since(start).Seconds()) }()
	settings := map[string]string{}
	if d.Format.rendered() {
		settings = render.TableSettings()
	}
	answer, err := s.o.Queries.Query(ctx, d.Statement.Query, d.Format.engine, settings)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	p := &product{generations: answer.Generations}
	doc := &render.Document{Name: d.Name, Title: d.Title, Query: d.Statement.Query, Tick: tick, Zone: d.Schedule.Zone, Chart: d.Chart}
	for _, g := range answer.Generations {
		doc.Sources = append(doc.Sources, sourceOf(g))
	}
	if d.Format.rendered() {
		err = s.render(d, doc, answer.Body, p)
	} else {
		err = s.copy(d, doc, answer, p)
	}
	if err != nil {
		return nil, err
	}
	if int64(len(p.content)) > d.MaxBytes {
		return nil, fmt.Errorf("%w: it has more than %d bytes (max_bytes)", errTooLarge, d.MaxBytes)
	}
	return p, nil
}

func sourceOf(g ledger.Generation) render.Source {
	s := render.Source{Name: g.Name, Generation: g.Generation, Complete: g.Complete, LagMs: g.LagMillis}
	if g.CutTime != nil {
		s.CutTime = *g.CutTime
	}
	return s
}

// render makes a document for people from the rows.
func (s *Scheduler) render(d *Definition, doc *render.Document, rows io.Reader, p *product) error {
	var err error
	if doc.Table, err = render.ReadTable(rows, int(d.MaxRows)); err != nil {
		return err
	}
	p.rows = int64(len(doc.Table.Rows))
	if p.content, err = d.Format.render(doc); err != nil {
		return fmt.Errorf("render %s: %w", d.Format.Name, err)
	}
	if !d.byMail() {
		return nil
	}
	if s.o.PublicURL != "" {
		doc.Unsubscribe = unsubscribePlace
	}
	if d.Format.attached() {
		doc.Attachment = d.fileName(doc.Tick)
	}
	page, images, err := render.HTML(doc)
	if err != nil {
		return fmt.Errorf("render mail: %w", err)
	}
	plain, err := render.Text(doc)
	if err != nil {
		return fmt.Errorf("render mail: %w", err)
	}
	p.mail = &mailParts{Page: page, Text: string(plain)}
	for _, i := range images {
		p.mail.Images = append(p.mail.Images, deliver.Image{ID: i.ContentID, Name: i.Name, Type: i.ContentType, Data: i.Data})
	}
	return nil
}

// copy takes a document that the engine writes.
func (s *Scheduler) copy(d *Definition, doc *render.Document, answer *Answer, p *product) error {
	content, err := io.ReadAll(io.LimitReader(answer.Body, d.MaxBytes+1))
	if err != nil {
		return err
	}
	p.content = content
	if int64(len(content)) > d.MaxBytes {
		return nil // make refuses it
	}
	if p.rows = answer.Rows(); p.rows > d.MaxRows {
		return fmt.Errorf("%w: it has %d rows, more than %d (max_rows)", errTooLarge, p.rows, d.MaxRows)
	}
	if d.byMail() {
		link := ""
		if s.o.PublicURL != "" {
			link = unsubscribePlace
		}
		p.mail, err = coverNote(d, doc, p.rows, link)
	}
	return err
}

// byMail reports whether somebody gets the report by mail.
func (d *Definition) byMail() bool {
	for _, t := range d.Targets {
		if t.Kind == deliver.Mail {
			return true
		}
	}
	return false
}

// fileName is the name of the document of a tick.
func (d *Definition) fileName(tick time.Time) string {
	return d.Name + "-" + tick.In(d.Schedule.Zone).Format("2006-01-02T1504") + "." + d.Format.Name
}
