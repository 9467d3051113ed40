package datasource

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/millrace/millrace/serving/client"
)

// viewFrame asks a view.
func (d *Datasource) viewFrame(ctx context.Context, q *Query) (*data.Frame, error) {
	ask, err := d.viewQuery(ctx, q)
	if err != nil {
		return nil, err
	}
	a, err := d.server.View(ctx, q.View, ask)
	if err != nil {
		return nil, err
	}
	return d.viewAnswer(ctx, q, ask, a)
}

// viewQuery is the question to a view.
func (d *Datasource) viewQuery(ctx context.Context, q *Query) (client.ViewQuery, error) {
	ask := client.ViewQuery{
		From: strconv.FormatInt(q.scope.From.Unix(), 10), To: strconv.FormatInt(q.scope.To.Add(time.Second-1).Unix(), 10),
		By: q.By, Where: q.Where, Limit: q.Limit,
	}
	if q.Order != "" {
		ask.Order = []string{q.Order}
	}
	switch {
	case q.Step != "" && q.Step != stepNone:
		ask.Step = q.Step
	case q.Step == "" && q.Format == formatTimeSeries:
		views, err := d.views.get(ctx)
		if err != nil {
			return ask, err
		}
		// Of one that is not listed nothing is known: the server says what is wrong with it.
		ask.Step = autoStep(q.scope.Interval, views[q.View].Pane)
	}
	return ask, nil
}

// viewAnswer makes a frame of a view's answer.
func (d *Datasource) viewAnswer(ctx context.Context, q *Query, ask client.ViewQuery, a *client.Answer) (*data.Frame, error) {
	a, err := d.choose(ctx, a, q)
	if err != nil {
		return nil, err
	}
	f, err := shape(a, q.Format, ask.Step == "")
	if err != nil {
		return nil, err
	}
	if err := d.describe(ctx, f, a.Sources); err != nil {
		return nil, err
	}
	f.Meta.ExecutedQueryString = "GET /v1/views/" + q.View + "?" + ask.Values().Encode()
	return f, nil
}

// choose leaves out the measures that were not asked for.
func (d *Datasource) choose(ctx context.Context, a *client.Answer, q *Query) (*client.Answer, error) {
	if len(q.Measures) == 0 {
		return a, nil
	}
	views, err := d.views.get(ctx)
	if err != nil {
		return nil, err
	}
	measures := map[string]bool{} // whether it is shown
	for _, c := range views[q.View].Columns {
		if c.Role == "measure" {
			measures[c.Name] = slices.Contains(q.Measures, c.Name)
		}
	}
	for _, name := range q.Measures {
		if !measures[name] {
			return nil, &refusal{Detail: fmt.Sprintf("view %s has no measure %q", q.View, name), Hint: "choose another in the panel's editor"}
		}
	}
	kept := &client.Answer{Sources: a.Sources, Rows: make([][]any, len(a.Rows))}
	for i, c := range a.Columns {
		if shown, is := measures[c.Name]; is && !shown {
			continue
		}
		kept.Columns = append(kept.Columns, c)
		for r, row := range a.Rows {
			kept.Rows[r] = append(kept.Rows[r], row[i])
		}
	}
	return kept, nil
}

// followView sends a frame for each answer of a view, over a range that ends now.
func (d *Datasource) followView(ctx context.Context, q *Query, send sendFrame) error {
	ask, err := d.viewQuery(ctx, q)
	if err != nil {
		return err
	}
	ask.From, ask.To = fmt.Sprintf("-%ds", int64(q.span()/time.Second)), ""
	return followed(d.server.WatchView(ctx, q.View, ask, liveEvery), send, func(a *client.Answer) (*data.Frame, error) {
		return d.viewAnswer(ctx, q, ask, a)
	})
}
