package agg

import (
	"fmt"

	"github.com/millrace/millrace/internal/event"
)

// minSlots is the smallest hash table: a power of two.
const minSlots = 64

// Table is a GROUP BY hash table: keys, and one column of states per function. The
// speed layer fills it with rows, the serving layer with partials. It is used by one
// goroutine.
type Table struct {
	// States holds one column per function. Groups and GroupOf keep their length.
	States []States

	functions []*Function
	keys      keyStore
	hasher    keyHasher

	// Open addressing with linear probing. A slot is the key's hash in its high half
	// and the group's number plus 1 in its low half; 0 is free. At most half are taken.
	slots []uint64

	dirty   []uint32
	isDirty []bool

	// Scratch.
	rows    keyRows
	hashes  []uint32
	key     groupKey
	partial []byte
}

// NewTable returns an empty table. Group keys are tuples of the given types.
func NewTable(keys []event.Type, functions []*Function) *Table {
	t := &Table{
		functions: functions,
		keys:      newKeyStore(keys),
		hasher:    newKeyHasher(),
		slots:     make([]uint64, minSlots),
	}
	for _, f := range functions {
		t.States = append(t.States, f.NewStates())
	}
	return t
}

// Len returns the number of groups.
func (t *Table) Len() int { return t.keys.n }

// Groups finds or makes the group of each row of the key vectors and writes it to out,
// which is grown to rows and returned. Float keys compare by bits, as ClickHouse groups
// them: -0 and 0 are two groups.
func (t *Table) Groups(keys []*event.Vector, rows int, out []uint32) []uint32 {
	t.rows.load(&t.keys.layout, keys, rows)
	// All hashes first: then the loads of one probe overlap those of the next.
	t.hashes = resized(t.hashes[:0], rows)
	for i := range t.hashes {
		t.hashes[i] = t.hasher.hash(t.rows.at(i))
	}
	out = resized(out[:0], rows)
	before := t.Len()
	for i, h := range t.hashes {
		g := t.group(t.rows.at(i), h)
		t.touch(g)
		out[i] = g
	}
	t.growStates(before)
	return out
}

// GroupOf finds or makes the group of one encoded key; see AppendKey. A key that
// AppendKey would not write is an error.
func (t *Table) GroupOf(key []byte) (uint32, error) {
	if err := t.keys.layout.parseKey(key, &t.key); err != nil {
		return 0, fmt.Errorf("read group key: %w", err)
	}
	before := t.Len()
	g := t.group(t.key, t.hasher.hash(t.key))
	t.touch(g)
	t.growStates(before)
	return g, nil
}

// group finds the group of a key or makes it; states grow later.
func (t *Table) group(key groupKey, hash uint32) uint32 {
	mask := uint32(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := t.slots[i]
		if slot == 0 {
			return t.add(key, hash, i)
		}
		if uint32(slot>>32) == hash {
			if g := uint32(slot) - 1; t.keys.equal(g, key) {
				return g
			}
		}
	}
}

// add makes a group in a free slot.
func (t *Table) add(key groupKey, hash, slot uint32) uint32 {
	g := uint32(t.Len())
	t.slots[slot] = uint64(hash)<<32 | uint64(g+1)
	t.keys.add(key)
	t.isDirty = append(t.isDirty, false)
	if 2*t.Len() > len(t.slots) {
		t.rehash()
	}
	return g
}

// rehash doubles the slots.
func (t *Table) rehash() {
	old := t.slots
	t.slots = make([]uint64, 2*len(old))
	mask := uint32(len(t.slots) - 1)
	for _, slot := range old {
		if slot == 0 {
			continue
		}
		i := uint32(slot>>32) & mask
		for t.slots[i] != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = slot
	}
}

func (t *Table) touch(g uint32) {
	if !t.isDirty[g] {
		t.isDirty[g] = true
		t.dirty = append(t.dirty, g)
	}
}

func (t *Table) growStates(before int) {
	if t.Len() == before {
		return
	}
	for _, s := range t.States {
		s.Grow(t.Len())
	}
}

// AppendKey writes the key of group g: the columns one after the other, each as
// ClickHouse's RowBinary has it (a null flag byte before a Nullable; little-endian
// numbers of 8 bytes, Bool of 1, strings with a VarUInt length).
func (t *Table) AppendKey(dst []byte, g uint32) []byte {
	return t.keys.layout.appendKey(dst, t.keys.get(g))
}

// AppendPartial writes the states of group g one after the other.
func (t *Table) AppendPartial(dst []byte, g uint32) []byte {
	for _, s := range t.States {
		dst = s.Append(dst, g)
	}
	return dst
}

// MergePartial merges what AppendPartial wrote into group g. After an error some of
// the group's states hold the partial and others do not: drop the table.
func (t *Table) MergePartial(g uint32, partial []byte) error {
	rest := partial
	for i, s := range t.States {
		var err error
		if rest, err = s.Merge(g, rest); err != nil {
			return fmt.Errorf("merge partial: %s: %w", t.functions[i].Name, err)
		}
	}
	if len(rest) > 0 {
		return fmt.Errorf("merge partial: %d bytes behind the last state", len(rest))
	}
	return nil
}

// MergeFrom merges all groups of other, a table of the same keys and functions.
func (t *Table) MergeFrom(other *Table) error {
	before := t.Len()
	groups := make([]uint32, other.Len())
	for g := range groups {
		key := other.keys.get(uint32(g))
		groups[g] = t.group(key, t.hasher.hash(key))
		t.touch(groups[g])
	}
	t.growStates(before)
	for g, to := range groups {
		t.partial = other.AppendPartial(t.partial[:0], uint32(g))
		if err := t.MergePartial(to, t.partial); err != nil {
			return err
		}
	}
	return nil
}

// KeyColumns returns the keys of all groups as vectors, in group order.
func (t *Table) KeyColumns() []event.Vector { return t.keys.columns() }

// Final returns the finalised values of function i for all groups, in group order.
func (t *Table) Final(i int) event.Vector {
	out := event.Vector{Type: t.functions[i].Result}
	for g := range t.Len() {
		t.States[i].Final(&out, uint32(g))
	}
	return out
}

// Dirty returns the groups changed by Groups or GroupOf since the last ClearDirty. The
// slice is valid until the next call that changes the table.
func (t *Table) Dirty() []uint32 { return t.dirty }

// ClearDirty marks all groups as flushed.
func (t *Table) ClearDirty() {
	for _, g := range t.dirty {
		t.isDirty[g] = false
	}
	t.dirty = t.dirty[:0]
}

// Reset drops all groups and keeps the memory.
func (t *Table) Reset() {
	clear(t.slots)
	t.keys.reset()
	t.dirty, t.isDirty = t.dirty[:0], t.isDirty[:0]
	for _, s := range t.States {
		s.Reset()
	}
}
