// Package seal keeps the record of what the lake holds: for each partition and epoch
// which files, how many rows, which event days and which positions.
//
// The one invariant: readers find lake files through seals only, never by listing a
// directory, so that they see an epoch whole or not at all.
package seal

import (
	"cmp"

	"github.com/millrace/millrace/internal/event"
)

// File is one Parquet file of a seal.
type File struct {
	Name      string  `json:"name"` // in the object store
	Rows      int64   `json:"rows"`
	SizeBytes int64   `json:"size_bytes"`
	Checksum  string  `json:"checksum"` // xxhash64 of the file, hex
	Days      []int32 `json:"days"`     // event-time days in it since 1970, ascending
}

// Seal says that one partition's epochs From..To are whole in the lake. A plain seal
// covers the epochs from the one after the partition's previous seal to To (epochs in
// which the partition got nothing have no seal of their own); its entries are all of
// epoch From. A compacted seal replaces the seals of the epochs that it covers.
type Seal struct {
	Stream    string         `json:"stream"` // stream id
	Partition int            `json:"partition"`
	From      event.Epoch    `json:"from"`
	To        event.Epoch    `json:"to"`
	Files     []File         `json:"files"`
	Rows      int64          `json:"rows"`
	First     event.Position `json:"first"` // first and last row; zero where Rows is 0
	Last      event.Position `json:"last"`
	LastSeq   uint64         `json:"last_seq"`   // last entry of the epoch, ticks included
	Arrival   int64          `json:"arrival"`    // of entry LastSeq, ns
	LastEpoch event.Epoch    `json:"last_epoch"` // epoch of entry LastSeq: From of a plain seal
}

// covers reports whether s stands for all that t stands for.
func (s *Seal) covers(t *Seal) bool { return s.From <= t.From && t.To <= s.To }

// order sorts seals by epoch; of those with one From the widest comes first.
func order(a, b Seal) int {
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(b.To, a.To))
}
