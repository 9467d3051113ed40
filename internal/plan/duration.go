package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// maxDays is the most days that fit a time.Duration: 292 years.
const maxDays = int64((1<<63 - 1) / day)

// ParseDuration reads Go's durations with days before them: 400d, 1d12h, 90s. A day
// has 24 hours. Negative durations are refused.
func ParseDuration(s string) (time.Duration, error) {
	rest := s
	var total time.Duration
	if digits, after, ok := strings.Cut(s, "d"); ok {
		days, err := strconv.ParseUint(digits, 10, 63)
		if err != nil {
			return 0, fmt.Errorf("duration %q: want a number before d, as in 7d or 1d12h", s)
		}
		if int64(days) > maxDays {
			return 0, fmt.Errorf("duration %q: it is longer than %d days", s, maxDays)
		}
		total, rest = time.Duration(days)*day, after
		if rest == "" {
			return total, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil {
		return 0, fmt.Errorf("duration %q: want a number with a unit, as in 90s, 72h or 7d", s)
	}
	if d < 0 || strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") {
		return 0, fmt.Errorf("duration %q: it must not have a sign", s)
	}
	if total+d < 0 {
		return 0, fmt.Errorf("duration %q: it is longer than %d days", s, maxDays)
	}
	return total + d, nil
}

// FormatDuration writes a duration of whole seconds as ParseDuration reads it: 90d, 1d12h.
func FormatDuration(d time.Duration) string {
	days, rest := d/day, d%day
	var text string
	if days > 0 {
		text = fmt.Sprintf("%dd", days)
	}
	for _, u := range []struct {
		length time.Duration
		name   string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := rest / u.length; n > 0 {
			text += fmt.Sprintf("%d%s", n, u.name)
		}
		rest %= u.length
	}
	if text == "" {
		return "0s"
	}
	return text
}
