package report

import (
	"strings"
	"time"
	_ "time/tzdata" // time zones on machines that have none installed

	"github.com/robfig/cron/v3"

	"github.com/millrace/millrace/internal/sql"
)

// Schedule gives the ticks of a report. They follow from the statement alone, so that every
// process sees the same.
type Schedule struct {
	Cron string
	Zone *time.Location
	next cron.Schedule
}

// parseSchedule reads SCHEDULE and TIME ZONE.
func parseSchedule(s *sql.CreateReport) (Schedule, error) {
	out := Schedule{Zone: time.UTC}
	if s.Zone != nil {
		name, err := text(*s.Zone)
		if err != nil {
			return out, err
		}
		if out.Zone, err = time.LoadLocation(name); err != nil || name == "" || name == "Local" {
			return out, refuse(s.Zone.Pos, "use a name of the IANA database, such as Europe/Berlin or UTC", "%s is not a time zone", s.Zone.String())
		}
	}
	var err error
	if out.Cron, err = text(s.Schedule); err != nil {
		return out, err
	}
	const hint = "write minute, hour, day of month, month and day of week, as in '0 8 * * 1-5', or @hourly, @daily, @weekly, @monthly"
	switch {
	case strings.HasPrefix(out.Cron, "@every"):
		return out, refuse(s.Schedule.Pos, "write '*/5 * * * *' for every five minutes", "@every has no fixed times, by which several processes could agree")
	case strings.Contains(out.Cron, "TZ="):
		return out, refuse(s.Schedule.Pos, "write it behind: SCHEDULE '0 8 * * *' TIME ZONE 'Europe/Berlin'", "the time zone is in the schedule")
	}
	if out.next, err = cron.ParseStandard(out.Cron); err != nil {
		return out, refuse(s.Schedule.Pos, hint, "%s is not a schedule: %s", s.Schedule.String(), err)
	}
	if out.Next(time.Now()).IsZero() {
		return out, refuse(s.Schedule.Pos, "", "no day of the next years fits the schedule %s", s.Schedule.String())
	}
	return out, nil
}

// Next returns the first tick after a time; the zero time where none is in the next years.
//
// It is cron's rule for the clock's changes: a tick in the hour that is not there falls out,
// one in the hour that is there twice comes twice.
func (s Schedule) Next(after time.Time) time.Time { return s.next.Next(after.In(s.Zone)) }

// maxMissedYears bounds how far back missed ticks are counted.
const maxMissedYears = 1

// due returns the ticks after one time and up to another: how many there are, and the
// newest of them, at most keep, oldest first.
func (s Schedule) due(after, through time.Time, keep int) (count int, newest []time.Time) {
	if earliest := through.AddDate(-maxMissedYears, 0, 0); after.Before(earliest) {
		after = earliest
	}
	for t := s.Next(after); !t.IsZero() && !t.After(through); t = s.Next(t) {
		count++
		newest = append(newest, t)
		if len(newest) > keep {
			newest = newest[1:]
		}
	}
	return count, newest
}
