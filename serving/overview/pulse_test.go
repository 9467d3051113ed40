package overview

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/batch/ledger"
	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
)

// world is a catalog with facts that a test sets. Stream b and view v2 are others'.
type world struct {
	streams map[string]StreamFacts
	views   map[string]ViewFacts
	runs    map[string][]ledger.Run
	wrong   []Problem
	checks  int
}

func (w *world) Streams() []*catalog.Stream {
	return []*catalog.Stream{{ID: "a.1", Plan: &plan.Stream{Name: "a"}}, {ID: "b.2", Plan: &plan.Stream{Name: "b"}}}
}

func (w *world) Views() []*catalog.View {
	view := func(name, stream string, board *plan.Board) *catalog.View {
		return &catalog.View{ID: name + ".3", StreamID: stream, Plan: &plan.View{Name: name, Stream: &plan.Stream{Name: stream[:1]}}, Board: board}
	}
	return []*catalog.View{view("top", "b.2", &plan.Board{}), view("v1", "a.1", nil), view("v2", "b.2", nil)}
}

func (w *world) Stream(s *catalog.Stream) (StreamFacts, bool) {
	f, ok := w.streams[s.Plan.Name]
	return f, ok
}

func (w *world) View(_ context.Context, v *catalog.View) (ViewFacts, error) {
	return w.views[v.Plan.Name], nil
}

func (w *world) Runs(_ context.Context, v *catalog.View) ([]ledger.Run, error) {
	return w.runs[v.Plan.Name], nil
}
func (w *world) Refused(context.Context, *catalog.Stream) (Refused, error) { return Refused{}, nil }
func (w *world) Health(context.Context) []Problem                          { w.checks++; return w.wrong }
func (w *world) Queries() QueryFacts                                       { return QueryFacts{PerSecond: 12} }

// newWorld is one in which all is well.
func newWorld() *world {
	early, late := event.Epoch(99), event.Epoch(100)
	published := ViewFacts{Published: &publication.Manifest{Generation: 4, Cut: 98}, Complete: true}
	return &world{
		streams: map[string]StreamFacts{
			"a": {Events: 10, EventsPerSecond: 1, BytesPerSecond: 100, RequestsPerSecond: 0.5, Rejected: 2, RejectedPerSecond: 0.25, Heads: []uint64{3, 4}, Complete: &early, LakeFiles: 1, LakeRows: 9, LakeBytes: 1000},
			"b": {Events: 20, EventsPerSecond: 2, BytesPerSecond: 200, RequestsPerSecond: 1.5, Heads: []uint64{5}, Complete: &late, LakeFiles: 2, LakeRows: 20, LakeBytes: 3000},
		},
		views: map[string]ViewFacts{"v1": published, "v2": published, "top": published},
		runs:  map[string][]ledger.Run{},
	}
}

var (
	everything = access.Principal{ID: "1", Role: access.Read}
	part       = access.Principal{ID: "2", Role: access.Read, Objects: []string{"a", "v1"}}
)

func pulse(t *testing.T, w *world, caller access.Principal) *Pulse {
	t.Helper()
	o := New(Options{Catalog: w, Facts: w, EpochLength: time.Second, Version: "test", Started: time.Now().Add(-time.Minute)})
	p, err := o.pulse(t.Context(), caller, 3)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPulseSumsWhatTheCallerMayLookAt(t *testing.T) {
	w := newWorld()
	p := pulse(t, w, everything)
	if p.Steps.Ingest != (IngestStep{Events: 30, EventsPerSecond: 3, BytesPerSecond: 300, RequestsPerSecond: 2, Rejected: 2, RejectedPerSecond: 0.25}) ||
		p.Steps.Log != (LogStep{3, 12}) || p.Steps.Lake.Files != 3 || p.Steps.Lake.Rows != 29 || p.Steps.Lake.Bytes != 4000 || *p.Steps.Lake.Epoch != 99 || *p.Steps.Lake.LagMillis < 1000 ||
		p.Steps.Speed != (SpeedStep{Views: 3}) || p.Steps.Serving == nil || p.Steps.Serving.QueriesPerSecond != 12 || p.Steps.Serving.Streams != 3 ||
		!p.Healthy || p.UptimeMillis < 60_000 || len(p.Streams) != 2 || len(p.Views) != 2 || len(p.Boards) != 1 || p.Views[0].State != "ready" || *p.Views[0].Cut != 98 || p.Views[0].CutTime.Unix() != 99 {
		t.Errorf("everything: %+v %+v", p, p.Steps)
	}
	p = pulse(t, w, part)
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if p.Steps.Ingest.Events != 10 || p.Steps.Log.Entries != 7 || p.Steps.Lake.Bytes != 1000 || p.Steps.Speed.Views != 1 || p.Steps.Serving != nil || strings.Contains(string(text), `"v2"`) || strings.Contains(string(text), `"top"`) {
		t.Errorf("a part: %s", text)
	}
	w.streams["b"] = StreamFacts{}
	if p := pulse(t, w, everything); p.Steps.Lake.Epoch != nil || p.Steps.Lake.LagMillis != nil {
		t.Errorf("one stream has nothing in the lake: %+v", p.Steps.Lake)
	}
}

func TestPulseTellsWhatIsWrong(t *testing.T) {
	at := time.Now()
	ended := func(state ledger.State, text string, drift publication.Drift) []ledger.Run {
		return []ledger.Run{{State: ledger.Running, Started: at}, {State: state, Started: at.Add(-time.Hour), Error: text, Drift: drift}, {State: ledger.Failed, Error: "long ago"}}
	}
	for _, c := range []struct {
		what   string
		breaks func(w *world)
		part   string // of the problem that the world's owner is told
		other  bool   // somebody who may not look at v1 and a is told too
		check  func(p *Pulse) bool
	}{
		{"a part", func(w *world) { w.wrong = []Problem{{"redis", "it hangs"}} }, "redis", true, func(*Pulse) bool { return true }},
		{"a stream", func(w *world) { f := w.streams["a"]; f.Error = "gone"; w.streams["a"] = f }, "stream a", false, func(*Pulse) bool { return true }},
		{"a view", func(w *world) { f := w.views["v1"]; f.Stalled, f.Error = true, "overflow"; w.views["v1"] = f }, "view v1", false,
			func(p *Pulse) bool { return p.Views[0].State == "stalled" }},
		{"a failed run", func(w *world) { w.runs["v1"] = ended(ledger.Failed, "no room", publication.Drift{}) }, "batch v1", false,
			func(p *Pulse) bool {
				return p.Steps.Batch.Failures == 1 && p.Steps.Batch.LastRun.Equal(at.Add(-time.Hour))
			}},
		{"a drift", func(w *world) {
			w.runs["v1"] = ended(ledger.Published, "", publication.Drift{Batch: 5, Speed: 4, Comparable: true})
		}, "batch v1", false, func(p *Pulse) bool { return p.Steps.Batch.Drifting == 1 }},
		{"a drift that says nothing", func(w *world) {
			w.runs["v1"] = ended(ledger.Published, "", publication.Drift{Batch: 5, Speed: 4})
		}, "", false, func(p *Pulse) bool { return p.Steps.Batch.Drifting == 0 }},
		{"a history under way", func(w *world) { w.views["v1"] = ViewFacts{Running: true, LagMillis: 70} }, "", false, func(p *Pulse) bool {
			return p.Views[0].State == "backfilling" && p.Steps.Batch.Running == 1 && p.Steps.Speed == SpeedStep{p.Steps.Speed.Views, 70, 1} && p.Streams[0].LagMillis == 70
		}},
	} {
		w := newWorld()
		c.breaks(w)
		for _, caller := range []access.Principal{everything, part} {
			p := pulse(t, w, caller)
			told := slices.ContainsFunc(p.Problems, func(x Problem) bool { return x.Part == c.part && x.Detail != "" })
			if told != (c.part != "") || p.Healthy == told || !c.check(p) {
				t.Errorf("%s: %+v", c.what, p)
			}
		}
		stranger := pulse(t, w, access.Principal{Role: access.Read, Objects: []string{"v2"}})
		if stranger.Healthy == c.other || len(stranger.Problems) > 0 != c.other {
			t.Errorf("%s: a stranger is told %+v", c.what, stranger.Problems)
		}
	}
}

func TestPartsAreAskedOnceForAll(t *testing.T) {
	w := newWorld()
	o := New(Options{Catalog: w, Facts: w, EpochLength: time.Second})
	for _, caller := range []access.Principal{everything, part, everything} {
		if _, err := o.pulse(t.Context(), caller, 1); err != nil {
			t.Fatal(err)
		}
	}
	if w.checks != 1 {
		t.Errorf("they were asked %d times", w.checks)
	}
	if sees(everything) == sees(part) || sees(part) != sees(access.Principal{ID: "3", Role: access.Read, Objects: []string{"v1", "a"}}) || sees(access.Root) == sees(part) {
		t.Error("callers who see the same do not share, or others do")
	}
}
