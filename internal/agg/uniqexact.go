package agg

import (
	"encoding/binary"

	"github.com/millrace/millrace/internal/event"
)

// maxExactKeys bounds the keys of one group to what half a block may hold.
const maxExactKeys = 1 << (maxBlockClass - 1)

// keyCodec turns values into keys of a set, and keys into bytes of a state.
type keyCodec[K setKey] struct {
	of     func(args []*event.Vector, i int) K
	width  int // of a key in a state
	read   func(b []byte) K
	append func(dst []byte, k K) []byte
}

// valueKeys has numbers and dates as their own keys; floats by their bits.
func valueKeys(kind event.Kind) keyCodec[key64] {
	width := widthOf(kind)
	return keyCodec[key64]{
		of:    func(args []*event.Vector, i int) key64 { return key64(bitsAt(args[0], i)) },
		width: width,
		read: func(b []byte) key64 {
			bits, _, _ := readFixed(b, width) // the caller has looked at the length
			return key64(bits)
		},
		append: func(dst []byte, k key64) []byte { return appendFixed(dst, uint64(k), width) },
	}
}

// hashKeys has hashes of the bytes of values as keys, as ClickHouse does for strings, times
// and several values: two of them being equal is beyond hope.
func hashKeys() keyCodec[key128] {
	var text []byte // scratch
	return keyCodec[key128]{
		width: 16,
		read: func(b []byte) key128 {
			return key128{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
		},
		append: func(dst []byte, k key128) []byte {
			return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, k.lo), k.hi)
		},
		of: func(args []*event.Vector, i int) key128 {
			if len(args) == 1 && args[0].Type.Kind == event.String {
				return sipHash128(args[0].Str.At(i))
			}
			text = text[:0]
			for _, v := range args {
				if v.Type.Kind == event.String {
					// With the zero byte behind it, as the engine has strings in memory.
					x := v.Str.At(i)
					text = append(binary.LittleEndian.AppendUint64(text, uint64(len(x)+1)), x...)
					text = append(text, 0)
				} else {
					text = appendFixed(text, bitsAt(v, i), widthOf(v.Type.Kind))
				}
			}
			return sipHash128(text)
		},
	}
}

// exactUniques is uniqExact: the set of all values, or rows of several values, of a group.
//
// Its state is the number of keys as VarUInt and then the keys, in any order.
type exactUniques[K setKey] struct {
	codec keyCodec[K]
	sets  []keySet
	data  blocks[K]
}

func bindUniqExact(args []event.Type, _ []float64) (kernel, error) {
	kind := args[0].Kind
	k := kernel{result: event.Type{Kind: event.UInt64}}
	if len(args) > 1 || kind == event.String || kind == event.DateTime64 {
		k.states = func() States { return &exactUniques[key128]{codec: hashKeys()} }
	} else {
		k.states = func() States { return &exactUniques[key64]{codec: valueKeys(kind)} }
	}
	return k, nil
}

func (u *exactUniques[K]) Grow(n int) { u.sets = resized(u.sets, n) }

func (u *exactUniques[K]) Reset() {
	u.sets = u.sets[:0]
	u.data.reset()
}

func (u *exactUniques[K]) Update(groups []uint32, args []*event.Vector) {
	for i, g := range groups {
		insertKey(&u.sets[g], &u.data, u.codec.of(args, i))
	}
}

func (u *exactUniques[K]) Merge(g uint32, b []byte) ([]byte, error) {
	count, rest, err := readVarUInt(b)
	if err != nil {
		return nil, err
	}
	if count > uint64(len(rest)/u.codec.width) || count > maxExactKeys {
		return nil, errTruncated
	}
	keys, rest := rest[:int(count)*u.codec.width], rest[int(count)*u.codec.width:]
	for ; len(keys) > 0; keys = keys[u.codec.width:] {
		insertKey(&u.sets[g], &u.data, u.codec.read(keys))
	}
	return rest, nil
}

func (u *exactUniques[K]) Append(dst []byte, g uint32) []byte {
	dst = binary.AppendUvarint(dst, uint64(u.sets[g].size()))
	eachKey(&u.sets[g], &u.data, func(k K) { dst = u.codec.append(dst, k) })
	return dst
}

func (u *exactUniques[K]) Final(out *event.Vector, g uint32) {
	out.AppendUInt64(uint64(u.sets[g].size()))
}
