package agg

import (
	"encoding/binary"

	"github.com/millrace/millrace/internal/event"
)

// counts is count(): the number of rows. Its state is one VarUInt.
type counts struct {
	rows []uint64
}

func bindCount([]event.Type, []float64) (kernel, error) {
	return kernel{event.Type{Kind: event.UInt64}, func() States { return &counts{} }}, nil
}

func (c *counts) Grow(n int) { c.rows = resized(c.rows, n) }
func (c *counts) Reset()     { c.rows = c.rows[:0] }

func (c *counts) Update(groups []uint32, _ []*event.Vector) {
	rows := c.rows
	for _, g := range groups {
		rows[g]++
	}
}

func (c *counts) Merge(g uint32, b []byte) ([]byte, error) {
	n, rest, err := readVarUInt(b)
	if err != nil {
		return nil, err
	}
	c.rows[g] += n
	return rest, nil
}

func (c *counts) Append(dst []byte, g uint32) []byte {
	return binary.AppendUvarint(dst, c.rows[g])
}

func (c *counts) Final(out *event.Vector, g uint32) { out.AppendUInt64(c.rows[g]) }
