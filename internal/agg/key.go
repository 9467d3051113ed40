package agg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/millrace/millrace/internal/event"
)

// keyLayout says how a group key of the given column types lies in memory: a word for
// every column of fixed width, and all strings joined into one text. A Nullable has one
// more word before it, its null flag; where there are several strings each has a word
// for its length. Equal keys, and no others, have equal words and texts.
type keyLayout struct {
	types   []event.Type
	words   int // per key
	strings int // per key
}

func newKeyLayout(types []event.Type) keyLayout {
	l := keyLayout{types: append([]event.Type(nil), types...)}
	for _, t := range types {
		if t.Kind == event.String {
			l.strings++
		}
	}
	for _, t := range types {
		if t.Nullable {
			l.words++
		}
		if l.hasWord(t) {
			l.words++
		}
	}
	return l
}

// hasWord reports whether a column has a word besides its null flag.
func (l *keyLayout) hasWord(t event.Type) bool { return t.Kind != event.String || l.strings > 1 }

// groupKey is one key; its slices belong to somebody else.
type groupKey struct {
	words []uint64
	text  []byte
}

// keyRows is the keys of a batch.
type keyRows struct {
	width  int // words per row
	words  []uint64
	text   event.Strings // of one string column: that column
	joined event.Strings // scratch: several string columns, row by row
	empty  []int32       // scratch: offsets where there is no string column
}

// load takes the first n rows of the key columns. It relies on a null row holding the
// type's zero, as event.Vector has it.
func (r *keyRows) load(l *keyLayout, columns []*event.Vector, n int) {
	r.width = l.words
	r.words = resized(r.words[:0], n*r.width)
	at := 0
	for c, t := range l.types {
		v := columns[c]
		if t.Nullable {
			if v.Nulls != nil {
				fillWords(r.words, at, r.width, v.Nulls[:n])
			}
			at++
		}
		switch t.Kind {
		case event.Bool:
			fillWords(r.words, at, r.width, v.U8[:n])
		case event.UInt64:
			fillWords(r.words, at, r.width, v.U64[:n])
		case event.Float64:
			for i, x := range v.F64[:n] {
				r.words[at+i*r.width] = math.Float64bits(x)
			}
		case event.String:
			if l.strings > 1 {
				for i := range n {
					r.words[at+i*r.width] = uint64(v.Str.Offsets[i+1] - v.Str.Offsets[i])
				}
			}
		default: // Int64, Date, DateTime64
			fillWords(r.words, at, r.width, v.I64[:n])
		}
		if l.hasWord(t) {
			at++
		}
	}
	r.loadText(l, columns, n)
}

func fillWords[V uint8 | int64 | uint64](words []uint64, at, stride int, values []V) {
	for _, x := range values {
		words[at] = uint64(x)
		at += stride
	}
}

func (r *keyRows) loadText(l *keyLayout, columns []*event.Vector, n int) {
	if l.strings == 0 {
		r.empty = resized(r.empty, max(n+1, len(r.empty)))
		r.text = event.Strings{Offsets: r.empty}
		return
	}
	if l.strings == 1 {
		for c, t := range l.types {
			if t.Kind == event.String {
				r.text = columns[c].Str
			}
		}
		return
	}
	r.joined.Data = r.joined.Data[:0]
	r.joined.Offsets = append(r.joined.Offsets[:0], 0)
	for i := range n {
		for c, t := range l.types {
			if t.Kind == event.String {
				r.joined.Data = append(r.joined.Data, columns[c].Str.At(i)...)
			}
		}
		r.joined.Offsets = append(r.joined.Offsets, int32(len(r.joined.Data)))
	}
	r.text = r.joined
}

// at returns the key of row i.
func (r *keyRows) at(i int) groupKey {
	return groupKey{r.words[i*r.width : (i+1)*r.width], r.text.At(i)}
}

// keyStore keeps the keys of all groups. A group's record is the words of its key and
// then the end of its text; the word before a record, the end of the one before it, is
// the start of its text, so that one cache line mostly holds all of a short key's
// record.
type keyStore struct {
	layout  keyLayout
	n       int
	records []uint64
	text    []byte
}

func newKeyStore(types []event.Type) keyStore {
	return keyStore{layout: newKeyLayout(types), records: make([]uint64, 1)}
}

func (s *keyStore) add(k groupKey) {
	s.n++
	s.text = append(s.text, k.text...)
	s.records = append(append(s.records, k.words...), uint64(len(s.text)))
}

// get returns the key of group g, valid until the next add.
func (s *keyStore) get(g uint32) groupKey {
	width := s.layout.words
	from := int(g) * (width + 1)
	record := s.records[from : from+width+2]
	return groupKey{record[1 : 1+width], s.text[record[0]:record[1+width]]}
}

// equal reports whether group g has the key k.
func (s *keyStore) equal(g uint32, k groupKey) bool {
	width := len(k.words)
	from := int(g) * (width + 1)
	record := s.records[from : from+width+2]
	for i, w := range k.words {
		if w != record[1+i] {
			return false
		}
	}
	return bytes.Equal(s.text[record[0]:record[1+width]], k.text)
}

func (s *keyStore) reset() { s.n, s.records, s.text = 0, s.records[:1], s.text[:0] }

// columns returns the keys as vectors, in group order.
func (s *keyStore) columns() []event.Vector {
	out := make([]event.Vector, len(s.layout.types))
	for c, t := range s.layout.types {
		out[c].Type = t
	}
	for g := range s.n {
		k := s.get(uint32(g))
		for c := range out {
			var v keyValue
			v, k = s.layout.next(s.layout.types[c], k)
			v.appendTo(&out[c])
		}
	}
	return out
}

// keyValue is one column of a key.
type keyValue struct {
	null bool
	word uint64 // of a column of fixed width
	text []byte // of a string
}

// next takes the first column, which is of type t, from what is left of a key.
func (l *keyLayout) next(t event.Type, k groupKey) (keyValue, groupKey) {
	var v keyValue
	if t.Nullable {
		v.null = k.words[0] != 0
		k.words = k.words[1:]
	}
	if t.Kind == event.String {
		v.text = k.text
	}
	if l.hasWord(t) {
		v.word = k.words[0]
		k.words = k.words[1:]
		if t.Kind == event.String {
			v.text, k.text = k.text[:v.word], k.text[v.word:]
		}
	}
	return v, k
}

func (v keyValue) appendTo(out *event.Vector) {
	if v.null {
		out.AppendZero(true)
		return
	}
	switch out.Type.Kind {
	case event.String:
		out.AppendString(v.text)
	case event.Bool:
		out.AppendBool(v.word != 0)
	case event.UInt64:
		out.AppendUInt64(v.word)
	case event.Float64:
		out.AppendFloat64(math.Float64frombits(v.word))
	default: // Int64, Date, DateTime64
		out.AppendInt64(int64(v.word))
	}
}

// appendKey writes the key k as Table.AppendKey has it.
func (l *keyLayout) appendKey(dst []byte, k groupKey) []byte {
	for _, t := range l.types {
		var v keyValue
		v, k = l.next(t, k)
		if t.Nullable {
			if v.null {
				dst = append(dst, 1)
				continue
			}
			dst = append(dst, 0)
		}
		switch t.Kind {
		case event.String:
			dst = binary.AppendUvarint(dst, uint64(len(v.text)))
			dst = append(dst, v.text...)
		case event.Bool:
			dst = append(dst, byte(v.word))
		default:
			dst = binary.LittleEndian.AppendUint64(dst, v.word)
		}
	}
	return dst
}

// errKeyTruncated refuses a key that ends before its columns do.
var errKeyTruncated = errors.New("key is truncated")

// parseKey reads what appendKey writes, and nothing else, into k.
func (l *keyLayout) parseKey(b []byte, k *groupKey) error {
	k.words, k.text = k.words[:0], k.text[:0]
	for _, t := range l.types {
		null := false
		if t.Nullable {
			if len(b) == 0 {
				return errKeyTruncated
			}
			if b[0] > 1 {
				return fmt.Errorf("null flag %d in a key", b[0])
			}
			null = b[0] == 1
			k.words = append(k.words, uint64(b[0]))
			b = b[1:]
		}
		var word uint64
		if !null {
			var err error
			if word, b, err = parseKeyValue(t, b, k); err != nil {
				return err
			}
		}
		if l.hasWord(t) {
			k.words = append(k.words, word)
		}
	}
	if len(b) > 0 {
		return fmt.Errorf("%d bytes behind the last column of a key", len(b))
	}
	return nil
}

// parseKeyValue reads one value; of a string it returns the length and adds the text.
func parseKeyValue(t event.Type, b []byte, k *groupKey) (word uint64, rest []byte, err error) {
	switch t.Kind {
	case event.String:
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return 0, nil, errKeyTruncated
		}
		if n != varUIntLen(size) {
			return 0, nil, fmt.Errorf("length %d of a string in a key takes %d bytes", size, n)
		}
		k.text = append(k.text, b[n:n+int(size)]...)
		return size, b[n+int(size):], nil
	case event.Bool:
		if len(b) == 0 {
			return 0, nil, errKeyTruncated
		}
		if b[0] > 1 {
			return 0, nil, fmt.Errorf("the Bool %d in a key", b[0])
		}
		return uint64(b[0]), b[1:], nil
	}
	if len(b) < 8 {
		return 0, nil, errKeyTruncated
	}
	return binary.LittleEndian.Uint64(b), b[8:], nil
}

// varUIntLen is the length of the shortest VarUInt of n.
func varUIntLen(n uint64) int { return (bits.Len64(n|1) + 6) / 7 }
