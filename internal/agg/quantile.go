package agg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/millrace/millrace/internal/event"
)

// quantiles is quantileTDigest at one level: a t-digest per group. NaN is not a sample.
//
// Its state is the number of centroids as VarUInt and then each one's mean and weight
// as Float32, in the order of the means.
type quantiles struct {
	kind    event.Kind
	level   float64
	digests []digest
	data    blocks[centroid]
	sorter  centroidSorter
}

func bindQuantile(args []event.Type, params []float64) (kernel, error) {
	if !args[0].Numeric() {
		return kernel{}, errTypes
	}
	return kernel{event.Type{Kind: event.Float64}, func() States {
		return &quantiles{kind: args[0].Kind, level: params[0]}
	}}, nil
}

func bindQuantileWeighted(args []event.Type, params []float64) (kernel, error) {
	if args[1].Kind != event.UInt64 && args[1].Kind != event.Bool {
		return kernel{}, errWeight
	}
	return bindQuantile(args[:1], params)
}

// errWeight refuses a weight that is not a number of samples.
var errWeight = errors.New("the weight must be unsigned, as in quantileTDigestWeighted(0.5)(x, toUInt64(w))")

func (q *quantiles) Grow(n int) { q.digests = resized(q.digests, n) }

func (q *quantiles) Reset() {
	q.digests = q.digests[:0]
	q.data.reset()
}

func (q *quantiles) Update(groups []uint32, args []*event.Vector) {
	if len(args) > 1 {
		q.addWeighted(groups, args[0], args[1])
		return
	}
	switch v := args[0]; q.kind {
	case event.Bool:
		addSamples(q, groups, v.U8)
	case event.Int64:
		addSamples(q, groups, v.I64)
	case event.UInt64:
		addSamples(q, groups, v.U64)
	case event.Float64:
		addSamples(q, groups, v.F64)
	}
}

func addSamples[V number](q *quantiles, groups []uint32, values []V) {
	values = values[:len(groups)]
	for i, g := range groups {
		if x := float32(values[i]); x == x {
			q.add(g, centroid{mean: x, weight: 1})
		}
	}
}

// addWeighted adds values that each stand for a number of equal samples.
func (q *quantiles) addWeighted(groups []uint32, values, weights *event.Vector) {
	for i, g := range groups {
		x, w := sampleAt(values, i), sampleAt(weights, i)
		if x == x && w > 0 {
			q.add(g, centroid{mean: x, weight: w})
		}
	}
}

func sampleAt(v *event.Vector, i int) float32 {
	switch v.Type.Kind {
	case event.Bool:
		return float32(v.U8[i])
	case event.Int64:
		return float32(v.I64[i])
	case event.UInt64:
		return float32(v.U64[i])
	}
	return float32(v.F64[i])
}

func (q *quantiles) Merge(g uint32, b []byte) ([]byte, error) {
	count, rest, err := readVarUInt(b)
	if err != nil {
		return nil, err
	}
	if count > maxCentroids {
		return nil, fmt.Errorf("state of quantileTDigest has %d centroids; the most are %d", count, maxCentroids)
	}
	size := int(count) * 8
	if len(rest) < size {
		return nil, errTruncated
	}
	centroids, rest := rest[:size], rest[size:]
	for c := centroids; len(c) > 0; c = c[8:] {
		if x := decodeCentroid(c); x.mean != x.mean || !(x.weight > 0) || math.IsInf(float64(x.weight), 1) {
			return nil, fmt.Errorf("state of quantileTDigest has a centroid of mean %v and weight %v", x.mean, x.weight)
		}
	}
	for c := centroids; len(c) > 0; c = c[8:] {
		q.add(g, decodeCentroid(c))
	}
	return rest, nil
}

func decodeCentroid(b []byte) centroid {
	return centroid{
		mean:   math.Float32frombits(binary.LittleEndian.Uint32(b)),
		weight: math.Float32frombits(binary.LittleEndian.Uint32(b[4:])),
	}
}

func (q *quantiles) Append(dst []byte, g uint32) []byte {
	q.compress(g)
	centroids := q.centroids(g)
	dst = binary.AppendUvarint(dst, uint64(len(centroids)))
	for _, c := range centroids {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(c.mean))
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(c.weight))
	}
	return dst
}

// Final gives NaN for a group without samples, as ClickHouse does. The value is a
// Float32 there; here it is widened.
func (q *quantiles) Final(out *event.Vector, g uint32) {
	q.compress(g)
	out.AppendFloat64(float64(quantileOf(q.centroids(g), q.digests[g].weight, q.level)))
}
