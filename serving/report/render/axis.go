package render

import (
	"math"
	"time"
)

// valueAxis is the range of an axis of values and the distance of its ticks.
type valueAxis struct{ low, high, step float64 }

// flatRange is the part of a value below which its changes are not drawn: ticks would differ by
// less than float64 tells apart.
const flatRange = 1e-12

// newValueAxis takes the range in round steps, about count of them. It begins at zero, unless the
// values are far from it.
func newValueAxis(low, high float64, count int) valueAxis {
	flat := high-low <= flatRange*max(math.Abs(low), math.Abs(high))
	if low > 0 && (flat || low < high/2) {
		low = 0
	}
	if high < 0 && (flat || high > low/2) {
		high = 0
	}
	if low == high { // both zero
		high = 1
	}
	step := roundStep((high - low) / float64(max(1, count)))
	return valueAxis{math.Floor(low/step) * step, math.Ceil(high/step) * step, step}
}

// roundStep returns the next of 1, 2, 2.5, 5 times a power of ten.
func roundStep(rough float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, factor := range []float64{1, 2, 2.5, 5} {
		if rough <= factor*power*(1+1e-9) {
			return factor * power
		}
	}
	return 10 * power
}

// ticks returns the values of the axis's ticks.
func (a valueAxis) ticks() []float64 {
	n := int(math.Round((a.high - a.low) / a.step))
	ticks := make([]float64, 0, n+1)
	for i := 0; i <= n; i++ {
		v := a.low + float64(i)*a.step
		if math.Abs(v) < a.step/1e6 { // 0 that addition missed
			v = 0
		}
		ticks = append(ticks, v)
	}
	return ticks
}

// timeTick is a tick of the time axis: the finer part of its time, and the coarser part where
// it is another than the tick's before.
type timeTick struct {
	at          time.Time
	fine, broad string
}

// calendarStep is a distance of ticks that people count in; exactly one field is set.
type calendarStep struct {
	seconds, days, months int
}

var calendarSteps = []calendarStep{
	{seconds: 1}, {seconds: 5}, {seconds: 15}, {seconds: 30},
	{seconds: 60}, {seconds: 300}, {seconds: 900}, {seconds: 1800},
	{seconds: 3600}, {seconds: 3 * 3600}, {seconds: 6 * 3600}, {seconds: 12 * 3600},
	{days: 1}, {days: 2}, {days: 7}, {days: 14},
	{months: 1}, {months: 3}, {months: 6}, {months: 12}, {months: 24}, {months: 60}, {months: 120}, {months: 600}, {months: 1200},
}

// length returns the step's seconds, about.
func (s calendarStep) length() float64 {
	const day = 24 * 60 * 60
	return float64(s.seconds + s.days*day + s.months*30*day)
}

// seconds is the distance of two times, which time.Duration holds for three centuries only.
func seconds(from, to time.Time) float64 {
	return float64(to.Unix()-from.Unix()) + float64(to.Nanosecond()-from.Nanosecond())/1e9
}

// timeTicks returns at most about count ticks on the calendar of a zone.
func timeTicks(low, high time.Time, zone *time.Location, count int) []timeTick {
	low, high = low.In(zone), high.In(zone)
	step := calendarSteps[len(calendarSteps)-1]
	for _, s := range calendarSteps {
		if seconds(low, high) <= s.length()*float64(max(1, count)) {
			step = s
			break
		}
	}
	var ticks []timeTick
	broad := ""
	for at := step.before(low); !at.After(high); at = step.after(at) {
		if at.Before(low) {
			continue
		}
		tick := timeTick{at: at, fine: at.Format(step.fine())}
		if b := at.Format(step.broad()); b != broad && step.broad() != "" {
			tick.broad, broad = b, b
		}
		ticks = append(ticks, tick)
	}
	return ticks
}

// before returns the last tick at or before a time.
func (s calendarStep) before(t time.Time) time.Time {
	year, month, day := t.Date()
	switch {
	case s.months > 0:
		months := year*12 + int(month) - 1
		return time.Date(0, time.Month(months-months%s.months+1), 1, 0, 0, 0, 0, t.Location())
	case s.days > 1:
		// Counted from a Monday, so that ticks of weeks are Mondays.
		monday := time.Date(1970, 1, 5, 0, 0, 0, 0, time.UTC)
		days := int(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Sub(monday).Hours() / 24)
		return time.Date(year, month, day-((days%s.days)+s.days)%s.days, 0, 0, 0, 0, t.Location())
	case s.days == 1:
		return time.Date(year, month, day, 0, 0, 0, 0, t.Location())
	}
	seconds := t.Hour()*3600 + t.Minute()*60 + t.Second()
	return time.Date(year, month, day, 0, 0, seconds-seconds%s.seconds, 0, t.Location())
}

// after returns the tick after a tick. Hours are those of the clock on the wall: when clocks go
// forward, two ticks stand closer.
func (s calendarStep) after(t time.Time) time.Time {
	year, month, day := t.Date()
	switch {
	case s.months > 0:
		return time.Date(year, month+time.Month(s.months), 1, 0, 0, 0, 0, t.Location())
	case s.days > 0:
		return time.Date(year, month, day+s.days, 0, 0, 0, 0, t.Location())
	case s.seconds <= 3600:
		return t.Add(time.Duration(s.seconds) * time.Second)
	}
	return time.Date(year, month, day, t.Hour()+s.seconds/3600, 0, 0, 0, t.Location())
}

func (s calendarStep) fine() string {
	switch {
	case s.months >= 12:
		return "2006"
	case s.months > 0:
		return "Jan"
	case s.days > 0:
		return "2 Jan"
	case s.seconds < 60:
		return "15:04:05"
	}
	return "15:04"
}

func (s calendarStep) broad() string {
	switch {
	case s.months >= 12:
		return ""
	case s.months > 0, s.days > 0:
		return "2006"
	}
	return "Mon 2 Jan"
}
