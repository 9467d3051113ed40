package datasource

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/millrace/millrace/dashboards/grafana/datasource/frames"
	"github.com/millrace/millrace/serving/client"
)

// listingAge is how old a remembered list may be: a dashboard of twenty panels asks for it
// once, and a view that has become ready says so at the next refresh.
const listingAge = 5 * time.Second

// listing remembers a list of the server's for a moment, by name.
type listing[T any] struct {
	ask  func(context.Context) ([]T, error)
	name func(T) string

	lock sync.Mutex
	read time.Time
	list map[string]T
}

// get returns the list. The caller does not change it.
func (l *listing[T]) get(ctx context.Context) (map[string]T, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if time.Since(l.read) < listingAge {
		return l.list, nil
	}
	items, err := l.ask(ctx)
	if err != nil {
		return nil, err
	}
	l.list, l.read = make(map[string]T, len(items)), time.Now()
	for _, item := range items {
		l.list[l.name(item)] = item
	}
	return l.list, nil
}

// describe writes into a frame where its answer comes from and what is missing in it.
func (d *Datasource) describe(ctx context.Context, f *data.Frame, sources []client.Source) error {
	if len(sources) == 0 {
		return nil
	}
	views, err := d.views.get(ctx)
	if err != nil {
		return fmt.Errorf("ask for the state of the views: %w", err)
	}
	states := map[string]string{}
	for _, s := range sources {
		if v, ok := views[s.View]; ok && v.State != "ready" {
			states[s.View] = v.State
		}
	}
	frames.Describe(f, sources, states)
	return nil
}

// niceSteps are what an axis is best divided by, in seconds.
var niceSteps = []int64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 2 * 86400, 7 * 86400, 30 * 86400}

// autoStep is the step for a panel's interval: whole panes of the view, no shorter than the
// interval, and a nice one where there is one of less than twice as long.
func autoStep(interval time.Duration, pane int64) string {
	pane = max(pane, 1)
	seconds := max(int64((interval+time.Second-1)/time.Second), 1)
	step := (seconds + pane - 1) / pane * pane
	for _, nice := range niceSteps {
		if nice >= step && nice < 2*step && nice%pane == 0 {
			step = nice
			break
		}
	}
	return strconv.FormatInt(step, 10) + "s"
}
