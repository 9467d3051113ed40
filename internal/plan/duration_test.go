package plan_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/plan"
)

func TestFormatDuration(t *testing.T) {
	for text, d := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "1d12h": 36 * time.Hour, "1h30m5s": 90*time.Minute + 5*time.Second, "0s": 0} {
		if got := plan.FormatDuration(d); got != text {
			t.Errorf("%s is written %s, not %s", d, got, text)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, 9_000_000_000).Draw(t, "seconds")) * time.Second
		if back, err := plan.ParseDuration(plan.FormatDuration(d)); err != nil || back != d {
			t.Fatalf("%s reads back as %s, %v", d, back, err)
		}
	})
}
