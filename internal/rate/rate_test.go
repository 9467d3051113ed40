package rate

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestMeterForgetsWhatIsOlderThanItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Meter
		expect := func(what string, want float64) {
			t.Helper()
			if got := m.PerSecond(); got != want {
				t.Errorf("%s: %v a second, want %v", what, got, want)
			}
		}
		expect("before anything", 0)
		m.Add(7)
		expect("in the same second", 0)
		for range 10 {
			time.Sleep(time.Second)
			m.Add(20)
		}
		expect("at 20 a second", 20)
		time.Sleep(windowSeconds * time.Second / 2)
		m.Add(5)
		expect("two seconds later, in which there was nothing more", 16)
		time.Sleep((windowSeconds + 1) * time.Second)
		expect("a window later", 0)
		m.Add(5)
		time.Sleep(time.Hour)
		expect("an hour later", 0)
		if m.Total() != 7+10*20+5+5 {
			t.Errorf("in all %d", m.Total())
		}
	})
}

func TestMeterCountsEveryCaller(t *testing.T) {
	var m Meter
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 100 {
				m.Add(2)
				m.PerSecond()
			}
		})
	}
	wg.Wait()
	if m.Total() != 50*100*2 {
		t.Errorf("%d", m.Total())
	}
	var nobody *Meter
	nobody.Add(1)
	if nobody.Total() != 0 || nobody.PerSecond() != 0 {
		t.Error("a nil meter counts")
	}
}

func TestDurationsGiveQuantilesOfTheLastMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d Durations
		if _, any := d.Quantile(0.99); any {
			t.Error("a quantile of nothing")
		}
		for i := range 3 * keptDurations { // the last of them are kept
			d.Observe(time.Duration(i) * time.Millisecond)
		}
		for _, c := range []struct {
			q    float64
			want int
		}{{0, 2 * keptDurations}, {0.5, 2*keptDurations + keptDurations/2}, {0.99, 2*keptDurations + 2027}, {1, 3*keptDurations - 1}} {
			if got, any := d.Quantile(c.q); !any || got != time.Duration(c.want)*time.Millisecond {
				t.Errorf("quantile %v: %v, want %d ms", c.q, got, c.want)
			}
		}
		time.Sleep(durationWindow / 2)
		d.Observe(time.Second)
		time.Sleep(durationWindow/2 + time.Second)
		if got, any := d.Quantile(0.5); !any || got != time.Second {
			t.Errorf("when all others are old: %v %v", got, any)
		}
	})
}
