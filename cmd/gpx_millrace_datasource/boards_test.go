package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/millrace/millrace/dashboards/grafana/boards"
	"github.com/millrace/millrace/dashboards/grafana/datasource"
	"github.com/millrace/millrace/examples/flights"
	"github.com/millrace/millrace/serving/client"
)

// demoRows are flights of the last ten minutes, one a second, and one row that is refused.
func demoRows(now time.Time) []byte {
	origins := []string{"ATL", "ORD", "DFW", "LAX", "PHX"}
	var out bytes.Buffer
	for i := range 600 {
		at := now.Add(-time.Duration(i) * time.Second).UTC()
		fmt.Fprintf(&out, `{"reported":%q,"scheduled":%q,"origin":%q,"destination":%q,"delay":%d,"distance":%d}`+"\n",
			at.Format("2006-01-02 15:04:05.000"), at.Add(-time.Hour).Format(time.DateTime), origins[i%5], origins[(i/5+1)%5], i%90-15, 100+i)
	}
	out.WriteString(`{"reported":"soon"}` + "\n")
	return out.Bytes()
}

// variables are the dashboards' own choices, as the front end writes them into queries.
var variables = strings.NewReplacer("$airport", "'ATL', 'ORD', 'DFW', 'LAX', 'PHX'", "$board", "busiest", "$window", "hour")

// target is a query of a panel, with what tells whose it is.
type target struct {
	board, panel string
	raw          []byte
}

// targets are the queries of all committed dashboards to a type of data source.
func targets(t *testing.T, source string) []target {
	t.Helper()
	var list []target
	for _, b := range boards.All {
		text, err := os.ReadFile(filepath.Join("..", "..", "dashboards", "grafana", "boards", b.Name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var board struct {
			Panels []struct {
				Title   string
				Targets []json.RawMessage
			}
		}
		if err := json.Unmarshal(text, &board); err != nil {
			t.Fatal(err)
		}
		for _, p := range board.Panels {
			for _, raw := range p.Targets {
				if strings.Contains(string(raw), source) {
					list = append(list, target{b.Name, p.Title, raw})
				}
			}
		}
	}
	if len(list) < 10 {
		t.Fatalf("%d queries to %s", len(list), source)
	}
	return list
}

// startDemo starts an appliance with the demo's streams and views, and flights in them.
func startDemo(t *testing.T) (url string, c *client.Client) {
	t.Helper()
	url, c = startMillrace(t, nil)
	if _, err := c.Query(t.Context(), flights.SQL, client.SQLOptions{}); err != nil {
		t.Fatal(err)
	}
	if reply, err := c.Append(t.Context(), "flights", bytes.NewReader(demoRows(time.Now())), client.AppendOptions{}); err != nil || reply.Accepted != 600 || reply.Rejected != 1 {
		t.Fatalf("append: %+v, %v", reply, err)
	}
	for _, view := range []string{"airports", "routes", "hours", "delays", "busiest"} {
		if _, err := c.View(t.Context(), view, client.ViewQuery{Wait: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	return url, c
}

// TestDashboardsShowData runs the query of every panel of every dashboard, as committed,
// over the demo's streams and views: each has rows, and none an error or a warning.
func TestDashboardsShowData(t *testing.T) {
	url, _ := startDemo(t)
	g, from := startPlugin(t), settings(url, "")
	now := time.Now()
	for _, q := range targets(t, datasource.PluginID) {
		reply := g.askJSON(from, panel{from: now.Add(-15 * time.Minute), to: time.Now(), interval: 15 * time.Second}, []byte(variables.Replace(string(q.raw))))
		if reply.Error != "" {
			t.Errorf("%s, %s: %s", q.board, q.panel, reply.Error)
			continue
		}
		f := g.frame(reply)
		if f.Rows() == 0 || len(f.Fields) == 0 {
			t.Errorf("%s, %s: no rows", q.board, q.panel)
		}
		for _, n := range f.Meta.Notices {
			if n.Severity != data.NoticeSeverityInfo {
				t.Errorf("%s, %s: %s", q.board, q.panel, n.Text)
			}
		}
	}
}

// runUntilCompared runs a view's batch job until one has taken epochs over from the speed
// layer and compared with it: an epoch has to end first, and has a second's length here.
func runUntilCompared(t *testing.T, c *client.Client, view string) {
	t.Helper()
	for began := time.Now(); time.Since(began) < time.Minute; {
		if _, err := c.RunBatch(t.Context(), view); err != nil {
			t.Fatal(err)
		}
		runs, err := c.BatchRuns(t.Context(), view, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(runs) == 1 && runs[0].Drift != nil && runs[0].Drift.Comparable && runs[0].Drift.Batch > 0 {
			return
		}
	}
	t.Fatalf("no batch run of %s compared anything in a minute", view)
}

var (
	metricNames  = regexp.MustCompile(`millrace_[a-z_]+`)
	metricLabels = regexp.MustCompile(`by \(([a-z_, ]+)\)`)
)

// TestMetricsOfDashboardsAreThere: what the dashboards ask of a Prometheus is what
// /metrics tells it, by name and label.
func TestMetricsOfDashboardsAreThere(t *testing.T) {
	_, c := startDemo(t)
	runUntilCompared(t, c, "airports")
	result, err := c.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer result.Body.Close()
	text, err := io.ReadAll(result.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range targets(t, `"prometheus"`) {
		name := metricNames.FindString(string(q.raw))
		labels := ""
		if m := metricLabels.FindStringSubmatch(string(q.raw)); m != nil {
			labels = m[1]
		}
		sample := regexp.MustCompile(`(?m)^` + name + `(\{[^}]*\})? `).FindString(string(text))
		if name == "" || sample == "" {
			t.Errorf("%s, %s: there is no metric %q", q.board, q.panel, name)
		}
		for label := range strings.SplitSeq(labels, ", ") {
			if label != "" && !strings.Contains(sample, label+`="`) {
				t.Errorf("%s, %s: %s has no label %s", q.board, q.panel, sample, label)
			}
		}
	}
}
