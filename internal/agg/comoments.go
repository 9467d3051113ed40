package agg

import (
	"math"

	"github.com/millrace/millrace/internal/event"
)

// The sums of pairs (x, y) in the order of ClickHouse's states.
const (
	sumRows = iota
	sumX
	sumY
	sumXY
	sumXX // of corr only
	sumYY

	covarWidth = sumXY + 1
	corrWidth  = sumYY + 1
)

// comoments is covariance and correlation over pairs of numbers, by ClickHouse's formulas;
// what is said of moments holds here too.
//
// Its state is the sums, Float64 each.
type comoments struct {
	width  int
	result func([]float64) float64
	sums   []float64 // width by group
	x, y   floatValues
}

func bindComoments(width int, result func([]float64) float64) func([]event.Type, []float64) (kernel, error) {
	return func(args []event.Type, _ []float64) (kernel, error) {
		if !args[0].Numeric() || !args[1].Numeric() {
			return kernel{}, errTypes
		}
		return kernel{event.Type{Kind: event.Float64}, func() States {
			return &comoments{width: width, result: result}
		}}, nil
	}
}

func (c *comoments) Grow(n int) { c.sums = resized(c.sums, n*c.width) }
func (c *comoments) Reset()     { c.sums = c.sums[:0] }

func (c *comoments) of(g uint32) []float64 {
	return c.sums[int(g)*c.width:][:c.width:c.width]
}

func (c *comoments) Update(groups []uint32, args []*event.Vector) {
	xs, ys := c.x.of(args[0], len(groups)), c.y.of(args[1], len(groups))
	for i, g := range groups {
		s := c.of(g)
		x, y := xs[i], ys[i]
		s[sumRows]++
		s[sumX] += x
		s[sumY] += y
		s[sumXY] += float64(x * y)
		if len(s) == corrWidth {
			s[sumXX] += float64(x * x)
			s[sumYY] += float64(y * y)
		}
	}
}

func (c *comoments) Merge(g uint32, b []byte) ([]byte, error) { return addFloats(c.of(g), b) }

func (c *comoments) Append(dst []byte, g uint32) []byte { return appendFloats(dst, c.of(g)) }

func (c *comoments) Final(out *event.Vector, g uint32) { out.AppendFloat64(c.result(c.of(g))) }

func covarPop(s []float64) float64 {
	return (s[sumXY] - float64(s[sumX]*s[sumY])/s[sumRows]) / s[sumRows]
}

func covarSamp(s []float64) float64 {
	if s[sumRows] <= 1 {
		return math.NaN()
	}
	return (s[sumXY] - float64(s[sumX]*s[sumY])/s[sumRows]) / (s[sumRows] - 1)
}

func corr(s []float64) float64 {
	n := s[sumRows]
	xx := float64(n*s[sumXX]) - float64(s[sumX]*s[sumX])
	yy := float64(n*s[sumYY]) - float64(s[sumY]*s[sumY])
	return (float64(n*s[sumXY]) - float64(s[sumX]*s[sumY])) / math.Sqrt(float64(xx*yy))
}
