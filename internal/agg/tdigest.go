package agg

import "math"

// The t-digest (Dunning and Ertl, "Computing extremely accurate quantiles using
// t-digests") with the bounds, the precision of each step and the merge rule of ClickHouse's
// quantileTDigest, so that the same samples in the same order give the same centroids.
const (
	// A centroid at quantile q weighs at most 4·epsilon·q·(1-q) of all; 0.01 as Float32.
	epsilon      = float64(float32(0.01))
	maxCentroids = 2048 // kept after compression
	maxUnmerged  = 2048 // added since the last compression; one more starts it
)

// minDigestClass is the smallest block kept for a digest: 4 centroids.
const minDigestClass = 2

// centroid stands for samples near mean; weight is their number, positive and finite.
type centroid struct{ mean, weight float32 }

// digest is one group's t-digest: its centroids are the first n of its block, of which
// the last unmerged ones have no order.
type digest struct {
	off      int
	n        uint32
	unmerged uint32
	weight   float64 // of all centroids
	class    uint8   // of the block; 0: none
}

func (q *quantiles) centroids(g uint32) []centroid {
	d := &q.digests[g]
	return q.data.data[d.off : d.off+int(d.n)]
}

// add adds one centroid to the digest of group g.
func (q *quantiles) add(g uint32, c centroid) {
	d := &q.digests[g]
	if d.class == 0 {
		d.off, d.class = q.data.alloc(minDigestClass), minDigestClass
	} else if d.n == 1<<d.class {
		off := q.data.alloc(d.class + 1)
		copy(q.data.at(off, d.class+1), q.data.at(d.off, d.class))
		q.data.release(d.off, d.class)
		d.off, d.class = off, d.class+1
	}
	q.data.data[d.off+int(d.n)] = c
	d.n++
	d.weight += float64(c.weight)
	if d.unmerged++; d.unmerged > maxUnmerged {
		q.compress(g)
	}
}

// compress sorts the centroids of group g and joins neighbours.
func (q *quantiles) compress(g uint32) {
	d := &q.digests[g]
	if d.unmerged == 0 {
		return
	}
	centroids := q.centroids(g)
	q.sorter.sort(centroids)
	centroids, d.weight = joinNeighbours(centroids, d.weight)
	if len(centroids) > maxCentroids {
		centroids, d.weight = joinBatches(centroids)
	}
	d.n, d.unmerged = uint32(len(centroids)), 0
}

// running is a centroid that others are being joined to, in double precision.
type running struct{ mean, weight float64 }

func (c centroid) running() running { return running{float64(c.mean), float64(c.weight)} }

func (r running) centroid() centroid { return centroid{float32(r.mean), float32(r.weight)} }

// join adds a centroid to the weight and to the weighted mean.
func (r running) join(c centroid) running {
	weight, mean := float64(c.weight), float64(c.mean)
	r.weight += weight
	if mean != r.mean { // so that equal infinities stay what they are
		r.mean += weight * (mean - r.mean) / r.weight
	}
	return r
}

// joinNeighbours joins, from left to right, each sorted centroid with the one before
// it, where the two together weigh no more than their place in the distribution allows.
// It works in place and returns the new weight of all, which rounding may have changed.
func joinNeighbours(c []centroid, total float64) ([]centroid, float64) {
	limit := total * epsilon * 4
	before := 0.0 // weight of the finished centroids
	last, l := 0, c[0].running()
	for _, next := range c[1:] {
		r := next.running()
		// The spread at the middle of either of the two; the smaller one counts.
		ql := (before + l.weight*0.5) / total
		qr := (before + l.weight + r.weight*0.5) / total
		spread := min(ql*(1-ql), qr*(1-qr))
		if l.weight+r.weight <= limit*spread && joinable(l.mean, r.mean) {
			l = l.join(next)
			c[last] = l.centroid()
			continue
		}
		before += float64(c[last].weight) // as stored, so that the sum is that of the state
		last++
		c[last] = next
		l = r
	}
	return c[:last+1], before + l.weight
}

// joinable keeps an infinity apart from every other value.
func joinable(l, r float64) bool {
	return l == r || !math.IsInf(l, 0) && !math.IsInf(r, 0)
}

// joinBatches joins equal numbers of neighbours into one, whatever they weigh, so that
// at most maxCentroids remain. A batch that spans both infinities has no mean; it is
// dropped.
func joinBatches(c []centroid) ([]centroid, float64) {
	batch := (len(c) + maxCentroids - 1) / maxCentroids
	total := 0.0
	out := c[:0]
	for from := 0; from < len(c); from += batch {
		l := c[from].running()
		for _, r := range c[from+1 : min(from+batch, len(c))] {
			l = l.join(r)
		}
		if joined := l.centroid(); joined.mean == joined.mean {
			total += float64(joined.weight)
			out = append(out, joined)
		}
	}
	return out, total
}

// quantileOf reads the value at a level, 0 to 1, by linear interpolation between the
// middles of sorted centroids. A centroid of weight 1 is a sample and stands for itself.
func quantileOf(c []centroid, weight, level float64) float32 {
	if len(c) == 0 {
		return float32(math.NaN())
	}
	target := level * weight
	var before, previousMiddle float64
	previous := c[0]
	for _, next := range c {
		middle := before + float64(next.weight)*0.5
		if middle >= target {
			left, right := previousMiddle, middle
			if previous.weight == 1 {
				left += 0.5
			}
			if next.weight == 1 {
				right -= 0.5
			}
			switch {
			case target <= left:
				return previous.mean
			case target >= right:
				return next.mean
			}
			// ClickHouse has the places in Float32 here, where two of a great weight may
			// fall together.
			x, x1, x2 := float32(target), float32(left), float32(right)
			k := float64(x-x1) / float64(x2-x1)
			if x1 == x2 {
				k = (target - left) / (right - left)
			}
			// Weighted from both sides, so that an infinity on one side wins.
			return float32((1-k)*float64(previous.mean) + k*float64(next.mean))
		}
		before += float64(next.weight)
		previous, previousMiddle = next, middle
	}
	return previous.mean
}
