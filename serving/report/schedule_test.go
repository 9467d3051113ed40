package report

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/serving/report/ledger"
)

// TestClockChanges pins what documentation says of the nights in which clocks change.
func TestClockChanges(t *testing.T) {
	for _, c := range []struct{ schedule, zone, after, want string }{
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T02:30:00+02:00 2026-03-31T02:30:00+02:00"}, // there is no 2:30 on the 29th
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T02:30:00+02:00 2026-10-25T02:30:00+01:00 2026-10-26T02:30:00+01:00"},
		{"0 8 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T08:00:00+02:00 2026-03-30T08:00:00+02:00"},
		{"0 8 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T08:00:00+01:00 2026-10-26T08:00:00+01:00"},
		{"30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:30:00+01:00 2026-03-29T03:30:00+02:00"},
		{"0 8 * * *", "UTC", "2026-03-28T12:00:00Z", "2026-03-29T08:00:00Z"},
	} {
		d := definition(t, "CREATE REPORT r SCHEDULE '"+c.schedule+"' TIME ZONE '"+c.zone+"' AS SELECT 1")
		at, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		ids := map[string]bool{}
		for range len(strings.Fields(c.want)) {
			at = d.Schedule.Next(at)
			got = append(got, at.Format(time.RFC3339))
			ids[ledger.TickID(at)] = true
		}
		if strings.Join(got, " ") != c.want || len(ids) != len(got) {
			t.Errorf("%s in %s: %v, want %s", c.schedule, c.zone, got, c.want)
		}
	}
}

func TestDueRuns(t *testing.T) {
	parse := func(s string) time.Time {
		at, err := time.Parse("2 15:04:05", s)
		if err != nil {
			t.Fatal(err)
		}
		return at.AddDate(2026, 5, 0)
	}
	for _, c := range []struct {
		policy    Policy
		last, now string
		runs      string // hours that run
		missed    int
		upTo      string
	}{
		{RunLast, "1 08:00:00", "1 08:30:00", "", 0, ""},
		{RunLast, "1 08:00:00", "1 09:00:00", "09", 0, ""},
		{Skip, "1 08:00:00", "1 09:01:59", "09", 0, ""},
		{RunAll, "1 08:00:00", "1 09:00:00", "09", 0, ""},
		{RunLast, "1 08:00:00", "1 09:10:00", "09", 0, ""}, // late: made up for
		{Skip, "1 08:00:00", "1 09:10:00", "", 1, "09"},
		{RunAll, "1 08:00:00", "1 09:10:00", "09", 0, ""},
		{RunLast, "1 08:00:00", "1 13:10:00", "13", 4, "12"},
		{Skip, "1 08:00:00", "1 13:10:00", "", 5, "13"},
		{Skip, "1 08:00:00", "1 13:00:10", "13", 4, "12"}, // the newest is on time
		{RunAll, "1 08:00:00", "1 13:10:00", "09 10 11 12 13", 0, ""},
		{RunAll, "1 08:00:00", "3 08:10:00", "09 10 11 12 13 14 15 16 17 18 19 20 21 22 23 00 01 02 03 04 05 06 07 08", 24, "08"},
	} {
		d := definition(t, "CREATE REPORT r SCHEDULE '@hourly' AS SELECT 1 WITH (missed = '"+string(c.policy)+"', deliver = 'https://example.org')")
		missed, ticks := dueRuns(d, parse(c.last), parse(c.now))
		var hours []string
		for _, tick := range ticks {
			hours = append(hours, tick.Format("15"))
		}
		if strings.Join(hours, " ") != c.runs || missed.MissedTicks != c.missed {
			t.Errorf("%+v: runs %v, %d missed", c, hours, missed.MissedTicks)
		}
		if c.missed > 0 && (missed.Tick.Format("15") != c.upTo || missed.State != ledger.Missed || missed.ID != ledger.TickID(missed.Tick) || missed.Deliveries != nil) {
			t.Errorf("%+v: noted %+v", c, missed)
		}
	}
}

func TestMissedYearsAreBounded(t *testing.T) {
	d := definition(t, "CREATE REPORT r SCHEDULE '@hourly' AS SELECT 1")
	now := time.Date(2026, 6, 1, 0, 30, 0, 0, time.UTC)
	if missed, ticks := dueRuns(d, now.AddDate(-30, 0, 0), now); missed.MissedTicks != 365*24-1 || len(ticks) != 1 {
		t.Errorf("%d missed, %d run", missed.MissedTicks, len(ticks))
	}
}
