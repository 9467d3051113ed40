package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/dashboards/grafana/boards"
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

// TestDashboardsShowData runs the query of every panel of every dashboard, as committed,
// over the demo's streams and views: each has rows, and none an error.
func TestDashboardsShowData(t *testing.T) {
	url, c := startMillrace(t, nil)
	if _, err := c.Query(t.Context(), flights.SQL, client.SQLOptions{}); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if reply, err := c.Append(t.Context(), "flights", bytes.NewReader(demoRows(now)), client.AppendOptions{}); err != nil || reply.Accepted != 600 || reply.Rejected != 1 {
		t.Fatalf("append: %+v, %v", reply, err)
	}
	for _, view := range []string{"airports", "routes", "hours", "delays", "busiest"} {
		if _, err := c.View(t.Context(), view, client.ViewQuery{Wait: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	g, from := startPlugin(t), settings(url, "")
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
		asked := 0
		for _, p := range board.Panels {
			for _, query := range p.Targets {
				asked++
				f := g.frame(g.askJSON(from, panel{from: now.Add(-15 * time.Minute), to: time.Now(), interval: 15 * time.Second}, []byte(variables.Replace(string(query)))))
				if f.Rows() == 0 || len(f.Fields) == 0 {
					t.Errorf("%s, %s: no rows", b.Name, p.Title)
				}
				for _, n := range f.Meta.Notices {
					if n.Severity > 0 && !strings.Contains(n.Text, "refused") {
						t.Errorf("%s, %s: %s", b.Name, p.Title, n.Text)
					}
				}
			}
		}
		if asked < 3 {
			t.Errorf("%s has %d queries", b.Name, asked)
		}
	}
}
