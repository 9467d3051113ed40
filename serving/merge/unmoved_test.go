package merge

import (
	"testing"

	"github.com/millrace/millrace/internal/event"
)

// TestUnmoved follows one view: an answer stands until something is acknowledged or
// published, or the range moves to another pane, and one that lacked something never does.
func TestUnmoved(t *testing.T) {
	w := threeEpochs(t)
	defer w.drop()
	for p := range partitions {
		w.flush(p, w.begin(p, firstEpoch), firstEpoch+2)
	}
	expect := func(what string, q Query, p Provenance, want bool) {
		t.Helper()
		q.View = w.view
		if got, err := w.merger.Unmoved(t.Context(), q, p); err != nil || got != want {
			t.Errorf("%s: %t %v", what, got, err)
		}
	}
	first := w.run(all()).Provenance
	expect("at once", all(), first, true)
	from := all()
	from.From = 1
	bounded := w.run(from).Provenance
	expect("with a range", from, bounded, true)
	from.From = 59
	expect("within the pane", from, bounded, true)
	from.From = 60
	expect("in the next pane", from, bounded, false)
	expect("without the range", all(), bounded, false)
	expect("with the range of none", from, first, false)

	other := first
	other.Rejected++
	expect("when something was refused", all(), other, false)
	lacking := first
	lacking.Complete = false
	expect("of an answer that lacked something", all(), lacking, false)

	w.append(0, firstEpoch+3, events(w.view.Plan.Stream.Schema, "DE", 0, 1))
	expect("when something was acknowledged", all(), first, false)
	behind := w.run(all()).Provenance
	expect("of an answer that is behind", all(), behind, false)
	w.flush(0, w.begin(0, firstEpoch), firstEpoch+3)
	caughtUp := w.run(all()).Provenance
	expect("when it has caught up", all(), caughtUp, true)
	w.publish(firstEpoch + event.Epoch(1))
	expect("when something was published", all(), caughtUp, false)
}
