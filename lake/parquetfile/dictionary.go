package parquetfile

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
)

// Limits of a dictionary. Past them a column's further pages are PLAIN: its values hardly
// repeat, and the dictionary would only cost memory.
const (
	maxDictionaryEntries = 1 << 18
	maxDictionaryBytes   = 16 << 20
)

// minTable is the first size of a dictionary's table; it doubles at half load.
const minTable = 1 << 10

// dictionary numbers distinct byte strings from 0 in the order in which they first came.
// It is an open-addressing table over one arena, in the format of the dictionary page:
// each value with its length before it. The hash is the runtime's and differs from process
// to process; the numbers do not depend on it.
type dictionary struct {
	page    []byte // PLAIN: uint32 length, bytes, …
	entries int
	table   []slot
	seed    maphash.Seed
	empty   uint32 // code of the empty string plus 1; 0: it has none
}

// slot holds all that a look-up needs but the bytes: one cache line for it, one for them.
type slot struct {
	hash  uint32 // its low bits are the slot's place
	code  uint32 // plus 1; 0: empty
	at    uint32 // of the bytes in page
	bytes uint32
}

func (d *dictionary) full() bool {
	return d.entries >= maxDictionaryEntries || len(d.page) >= maxDictionaryBytes
}

func (d *dictionary) reset() {
	d.page, d.entries, d.empty = d.page[:0], 0, 0
	clear(d.table)
}

// code returns the number of v.
func (d *dictionary) code(v []byte) uint32 {
	if len(v) == 0 {
		return d.emptyCode()
	}
	if len(d.table) == 0 {
		d.table, d.seed = make([]slot, minTable), maphash.MakeSeed()
	}
	hash := uint32(maphash.Bytes(d.seed, v))
	mask := uint32(len(d.table) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &d.table[i]
		if s.code == 0 {
			return d.insert(s, hash, v)
		}
		if s.hash == hash && s.bytes == uint32(len(v)) && bytes.Equal(d.page[s.at:s.at+s.bytes], v) {
			return s.code - 1
		}
	}
}

// emptyCode is code of the empty string, which most rows have in `_extra`.
func (d *dictionary) emptyCode() uint32 {
	if d.empty == 0 {
		d.page = append(d.page, 0, 0, 0, 0)
		d.entries++
		d.empty = uint32(d.entries)
	}
	return d.empty - 1
}

func (d *dictionary) insert(s *slot, hash uint32, v []byte) uint32 {
	code := uint32(d.entries)
	d.entries++
	d.page = binary.LittleEndian.AppendUint32(d.page, uint32(len(v)))
	*s = slot{hash: hash, code: code + 1, at: uint32(len(d.page)), bytes: uint32(len(v))}
	d.page = append(d.page, v...)
	if 2*d.entries > len(d.table) {
		d.grow()
	}
	return code
}

func (d *dictionary) grow() {
	old := d.table
	d.table = make([]slot, 2*len(old))
	mask := uint32(len(d.table) - 1)
	for _, s := range old {
		if s.code == 0 {
			continue
		}
		i := s.hash & mask
		for d.table[i].code != 0 {
			i = (i + 1) & mask
		}
		d.table[i] = s
	}
}
