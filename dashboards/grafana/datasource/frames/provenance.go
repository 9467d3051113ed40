package frames

import (
	"fmt"
	"slices"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/millrace/millrace/serving/client"
)

// lagShown is from when on an answer that lags is worth a warning. While events come in,
// answers are a fraction of a second behind when all is well: a warning that is always
// there would warn of nothing, so that below this it is a note.
const lagShown = 5 * time.Second

// Provenance is what a frame says of itself in meta.custom: what it is made of.
type Provenance struct {
	Sources []client.Source `json:"sources,omitempty"`
	// Stream says how the frames of a live query are to be taken: "replace" or "append".
	Stream string `json:"stream,omitempty"`
}

// Describe writes into a frame what its answer is made of, and notices where that is not
// everything. states are those of the views that are not ready, by name.
func Describe(f *data.Frame, sources []client.Source, states map[string]string) {
	if f.Meta == nil {
		f.Meta = &data.FrameMeta{}
	}
	if len(sources) == 0 {
		return
	}
	f.Meta.Custom = Provenance{Sources: sources}
	for _, s := range sources {
		f.AppendNotices(notices(s, states)...)
	}
}

// notices are what a reader of a panel has to know of a source.
func notices(s client.Source, states map[string]string) []data.Notice {
	name := s.View
	if name == "" {
		name = s.Leaderboard
	}
	if name == "" {
		return nil // a stream: every event that was acknowledged
	}
	var list []data.Notice
	say := func(severity data.NoticeSeverity, format string, args ...any) {
		list = append(list, data.Notice{Severity: severity, Text: name + " " + fmt.Sprintf(format, args...), Inspect: data.InspectTypeMeta})
	}
	if state := states[name]; state != "" {
		say(data.NoticeSeverityWarning, "is %s: what it shows is not its whole history yet", state)
	}
	lag := time.Duration(s.LagMillis) * time.Millisecond
	severity := data.NoticeSeverityInfo
	if lag >= lagShown || unknownAge(s.Partitions) {
		severity = data.NoticeSeverityWarning
	}
	switch behind := behind(s.Partitions); {
	case !s.Complete:
		say(severity, "is incomplete: %d of %d partitions have not reached what was acknowledged when it was asked, by %s at most%s",
			behind, len(s.Partitions), round(lag), upTo(s))
	case lag >= lagShown:
		say(severity, "lags by %s: %d of %d partitions have newer events than it shows", round(lag), behind, len(s.Partitions))
	}
	if s.Rejected > 0 {
		say(data.NoticeSeverityInfo, "does not hold %s that the stream refused; millrace errors list shows them with their reasons", rows(s.Rejected))
	}
	return list
}

// behind counts the partitions that have not reached their head.
func behind(partitions []client.Partition) int {
	n := 0
	for _, p := range partitions {
		if p.Position < p.Head {
			n++
		}
	}
	return n
}

// unknownAge tells whether a partition that is behind has nothing in the answer that could
// say by how much.
func unknownAge(partitions []client.Partition) bool {
	return slices.ContainsFunc(partitions, func(p client.Partition) bool { return p.Position < p.Head && p.Arrival.Unix() <= 0 })
}

// upTo says where the batch layer ends, which is what an incomplete answer has at least.
func upTo(s client.Source) string {
	if s.CutTime == nil {
		return ""
	}
	return fmt.Sprintf("; everything that arrived before %s is in it (generation %d)", s.CutTime.UTC().Format(time.RFC3339), s.Generation)
}

func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d
	}
	return d.Round(100 * time.Millisecond)
}

func rows(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}
