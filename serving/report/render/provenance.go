package render

import (
	"fmt"
	"strings"
	"time"
)

// lagging is from when on a source's lag is a warning and not a detail.
const lagging = time.Minute

// warnings are what a reader must know before the numbers.
func warnings(d *Document) []string {
	var warnings []string
	for _, s := range d.Sources {
		lag := time.Duration(s.LagMs) * time.Millisecond
		switch {
		case !s.Complete:
			warnings = append(warnings, fmt.Sprintf("Incomplete: events of %s are missing%s. Numbers may be too low.", nameOf(s.Name), behind(lag)))
		case lag >= lagging:
			warnings = append(warnings, fmt.Sprintf("Not current: %s is %s behind. The newest numbers may be too low.", nameOf(s.Name), span(lag)))
		}
	}
	if d.Table.Truncated {
		warnings = append(warnings, fmt.Sprintf("Cut off: the query has more than the %s rows of this report.", grouped(fmt.Sprint(len(d.Table.Rows)))))
	}
	return warnings
}

func behind(lag time.Duration) string {
	if lag <= 0 {
		return ""
	}
	return ", it is " + span(lag) + " behind"
}

// provenance says where the numbers come from, a line for each source.
func provenance(d *Document) []string {
	var lines []string
	for _, s := range d.Sources {
		parts := []string{}
		if s.Generation > 0 {
			parts = append(parts, fmt.Sprintf("generation %d", s.Generation))
		}
		if !s.CutTime.IsZero() {
			parts = append(parts, "cut "+moment(s.CutTime, d.zone()))
		}
		if s.Complete {
			parts = append(parts, "complete")
		} else {
			parts = append(parts, "incomplete")
		}
		if s.LagMs > 0 {
			parts = append(parts, span(time.Duration(s.LagMs)*time.Millisecond)+" behind")
		}
		lines = append(lines, nameOf(s.Name)+": "+strings.Join(parts, ", "))
	}
	return lines
}

func moment(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("Mon 2 Jan 2006, 15:04:05 MST")
}

// tickLine says for when the document is.
func tickLine(d *Document) string {
	return d.Tick.In(d.zone()).Format("Monday 2 January 2006, 15:04 MST")
}

// span writes a duration in its two greatest units.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}
