package client

import (
	"encoding/json"
	"fmt"
	"time"
)

// Source says what an answer, or one part of it, is made of: a view, batch merged with
// speed up to the positions of Partitions; a leaderboard, up to them too; or a stream, up
// to Positions. Fields that do not belong to its kind have their zero value.
type Source struct {
	View        string `json:"view,omitempty"`
	Leaderboard string `json:"leaderboard,omitempty"`
	Stream      string `json:"stream,omitempty"` // of a stream only

	Generation uint64      `json:"generation,omitempty"` // of the batch layer
	Cut        *int64      `json:"cut,omitempty"`        // last epoch in the batch layer; nil: none yet
	CutTime    *time.Time  `json:"cut_time,omitempty"`   // end of that epoch
	Partitions []Partition `json:"partitions,omitempty"`
	LagMillis  int64       `json:"lag_ms,omitempty"`   // of the partition that is furthest behind
	Complete   bool        `json:"complete,omitempty"` // everything acknowledged before the request is in it
	Rejected   int64       `json:"rejected,omitempty"` // dead letters of the stream
	From       *time.Time  `json:"from,omitempty"`     // the range after widening to panes
	To         *time.Time  `json:"to,omitempty"`       // exclusive

	Positions []uint64 `json:"positions,omitempty"` // of a stream: the last entry in the answer, by partition
}

// Partition is how far an answer reaches in one partition.
type Partition struct {
	Partition int       `json:"partition"`
	Position  uint64    `json:"position"` // last entry that is in the answer
	Head      uint64    `json:"head"`     // last entry acknowledged when the request came
	Arrival   time.Time `json:"arrival"`  // of the entry at Position
	LagMillis int64     `json:"lag_ms"`   // age of Arrival where Position is behind Head, else 0
}

// sources reads what the server says an answer is made of: a list from SQL, one object
// from a view.
func sources(provenance json.RawMessage) ([]Source, error) {
	if len(provenance) == 0 || string(provenance) == "null" {
		return nil, nil
	}
	if provenance[0] == '{' {
		provenance = append(append([]byte{'['}, provenance...), ']')
	}
	var list []Source
	if err := json.Unmarshal(provenance, &list); err != nil {
		return nil, fmt.Errorf("read provenance: %w", err)
	}
	return list, nil
}
