package plan

import "time"

// Board is what a leaderboard adds to the view that it also is: how its members are
// ranked, and over which windows. It is immutable.
type Board struct {
	View    *View
	Windows []BoardWindow
	Desc    bool // the greatest score is the best
	First   bool // of equal scores the one reached first is better; else they share a rank
	// Tie is the place in View.Aggregates of the state that tells when a score was
	// reached, -1 where equal scores share a rank. Its value is the event time of the
	// member's newest event; for max and min scores it is the text of FirstReached.
	Tie     int
	Reached bool // Tie is the text of FirstReached
	// Keep is how long past windows stay where they are ranked at once; older ones are
	// ranked when they are asked for.
	Keep   time.Duration
	Member Output // of View.Outputs
	Score  Output
}

// BoardWindow is one kind of windows that a leaderboard is ranked over.
type BoardWindow struct {
	Name   string // as in windows = 'day', or such as 15minute of tumble
	Window Window // Unit NoUnit: all time
}

// WholeTime is the name of the window of all time.
const WholeTime = "all"

// boardWindows lists what the option windows knows, in the order of messages.
var boardWindows = []BoardWindow{
	{WholeTime, Window{}},
	{"hour", Window{1, Hour}}, {"day", Window{1, Day}}, {"week", Window{1, Week}},
	{"month", Window{1, Month}}, {"year", Window{1, Year}},
}

// Find returns the board's window of a name.
func (b *Board) Find(name string) (BoardWindow, bool) {
	for _, w := range b.Windows {
		if w.Name == name {
			return w, true
		}
	}
	return BoardWindow{}, false
}

// WindowNames returns the names of the board's windows.
func (b *Board) WindowNames() []string {
	names := make([]string, len(b.Windows))
	for i, w := range b.Windows {
		names[i] = w.Name
	}
	return names
}
