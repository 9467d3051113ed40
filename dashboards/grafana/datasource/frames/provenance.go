package frames

import (
	"fmt"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/millrace/millrace/serving/client"
)

// lagShown is from when on an answer that lags is worth a warning. Answers are a fraction
// of a second behind when all is well.
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
	warn := func(format string, args ...any) {
		list = append(list, data.Notice{Severity: data.NoticeSeverityWarning, Text: name + " " + fmt.Sprintf(format, args...), Inspect: data.InspectTypeMeta})
	}
	if state := states[name]; state != "" {
		warn("is %s: what it shows is not its whole history yet", state)
	}
	lag := time.Duration(s.LagMillis) * time.Millisecond
	switch behind := behind(s.Partitions); {
	case !s.Complete:
		warn("is incomplete: %d of %d partitions have not reached what was acknowledged when it was asked, by %s at most%s",
			behind, len(s.Partitions), round(lag), upTo(s))
	case lag >= lagShown:
		warn("lags by %s: %d of %d partitions have newer events than it shows", round(lag), behind, len(s.Partitions))
	}
	if s.Rejected > 0 {
		list = append(list, data.Notice{
			Severity: data.NoticeSeverityInfo, Inspect: data.InspectTypeMeta,
			Text: fmt.Sprintf("%s does not hold %s that the stream refused; millrace errors list shows them with their reasons", name, rows(s.Rejected)),
		})
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
