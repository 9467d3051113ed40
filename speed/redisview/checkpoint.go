package redisview

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/event"
)

// Checkpoint is the position of a view's partials in one partition.
type Checkpoint struct {
	Fence   uint64      // token of the writer
	Seq     uint64      // last entry applied
	Arrival int64       // its arrival time, ns
	Epoch   event.Epoch // its epoch: the current one; those before it are sealed
	// Base is the newest epoch whose partials may be missing: the cut that the state was
	// begun at, or through which it was deleted since. Only a reader at this cut or a
	// later one finds all it needs. The store keeps it; Begin and Flush ignore what the
	// caller says.
	Base event.Epoch
}

// SamePosition reports whether c and d are one writer's same position; Base is not part of it.
func (c Checkpoint) SamePosition(d Checkpoint) bool {
	c.Base = d.Base
	return c == d
}

// checkpointVersion is the first field of an encoded checkpoint.
const checkpointVersion = "1"

// checkpointFields counts the fields of an encoded checkpoint, the version among them.
const checkpointFields = 6

// Encode writes the checkpoint as decimal text: version, fence, seq, arrival, epoch,
// base, one space between them. Text, so that redis-cli shows it.
func (c Checkpoint) Encode() string {
	b := make([]byte, 0, 96)
	b = append(b, checkpointVersion...)
	b = strconv.AppendUint(append(b, ' '), c.Fence, 10)
	b = strconv.AppendUint(append(b, ' '), c.Seq, 10)
	b = strconv.AppendInt(append(b, ' '), c.Arrival, 10)
	b = strconv.AppendInt(append(b, ' '), int64(c.Epoch), 10)
	b = strconv.AppendInt(append(b, ' '), int64(c.Base), 10)
	return string(b)
}

// DecodeCheckpoint reverses Encode.
func DecodeCheckpoint(s string) (Checkpoint, error) {
	f := strings.Split(s, " ")
	if f[0] != checkpointVersion {
		return Checkpoint{}, fmt.Errorf("decode checkpoint %.100q: version %q is not known", s, f[0])
	}
	if len(f) != checkpointFields {
		return Checkpoint{}, fmt.Errorf("decode checkpoint %.100q: %d fields instead of %d", s, len(f), checkpointFields)
	}
	fence, err1 := strconv.ParseUint(f[1], 10, 64)
	seq, err2 := strconv.ParseUint(f[2], 10, 64)
	arrival, err3 := strconv.ParseInt(f[3], 10, 64)
	epoch, err4 := strconv.ParseInt(f[4], 10, 64)
	base, err5 := strconv.ParseInt(f[5], 10, 64)
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			return Checkpoint{}, fmt.Errorf("decode checkpoint %.100q: %w", s, err)
		}
	}
	return Checkpoint{Fence: fence, Seq: seq, Arrival: arrival, Epoch: event.Epoch(epoch), Base: event.Epoch(base)}, nil
}
