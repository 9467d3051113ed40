// Package publication says which generation of a view is published, and at which cut.
//
// The one invariant: the manifest in the lake's store is the only authority; it is
// replaced in one atomic step, and readers see generation G or G+1, never a mixture.
package publication

import (
	"time"

	"github.com/millrace/millrace/internal/event"
)

// CutPosition is where the epochs after the cut begin in one partition's log.
type CutPosition struct {
	Seq     uint64 `json:"seq"`     // last entry at or under the cut; 0: none
	Arrival int64  `json:"arrival"` // its arrival time, ns
}

// Day is one event day of a generation.
type Day struct {
	Generation uint64 `json:"generation"` // that wrote the day's rows in ClickHouse
	Groups     int64  `json:"groups"`     // rows of the batch table
	Events     int64  `json:"events"`     // sum of the hidden count
	Checksum   string `json:"checksum"`   // of the day's rows, see recompute
}

// Drift says how batch and speed compared for the epochs that a run took over.
type Drift struct {
	From       event.Epoch `json:"from"` // epochs (From, To]
	To         event.Epoch `json:"to"`
	Batch      int64       `json:"batch_events"`
	Speed      int64       `json:"speed_events"`
	Comparable bool        `json:"comparable"` // false where the speed layer was behind or rebuilt
}

// Manifest is one publication of a view.
type Manifest struct {
	View       string        `json:"view"` // view id
	Generation uint64        `json:"generation"`
	Cut        event.Epoch   `json:"cut"`
	Positions  []CutPosition `json:"positions"` // one per partition
	Days       map[int32]Day `json:"days"`
	Rows       int64         `json:"rows"` // groups over all days
	Created    time.Time     `json:"created"`
	Drift      Drift         `json:"drift"`
}
