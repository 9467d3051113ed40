package agg_test

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
)

// documentedKahanError is what docs/states.md promises of sumKahan: the distance from the
// exact sum, relative to the sum of absolute values.
const documentedKahanError = 1e-15

// TestKahan compares sumKahan with the engine over values whose sums are not exact, so that
// states carry a loss: states and merges are equal bit for bit. It measures the error.
func TestKahan(t *testing.T) {
	f := resolve(t, "sumKahan", nil, tFloat)
	r := rand.New(rand.NewPCG(9, 10))
	compared, worst, plain, losses := 0, 0.0, 0.0, 0
	for round := range 30 {
		const parts, partRows = 20, 500
		var states [][]byte
		all := rowSet{args: []event.Vector{{Type: tFloat}}}
		for part := range parts {
			v := &event.Vector{Type: tFloat}
			for range partRows {
				v.AppendFloat64(r.NormFloat64() * math.Exp(float64(round%3)*4*r.NormFloat64()))
				all.groups = append(all.groups, uint32(part))
			}
			all.args[0].AppendRange(v, 0, partRows)
			states = append(states, one(f, v).Append(nil, 0))
		}
		theirs := make([][]byte, parts)
		for _, row := range ask(t, "SELECT toString(g), hex(sumKahanState(a0)) FROM "+all.source()+" GROUP BY g") {
			g, _ := strconv.Atoi(row[0])
			theirs[g] = unhex(t, row[1])
		}
		merged := f.NewStates()
		merged.Grow(1)
		var tuples []string
		for part, state := range states {
			if !bytes.Equal(state, theirs[part]) {
				t.Errorf("state of part %d is %x, want %x", part, state, theirs[part])
			}
			if !bytes.Equal(state[8:], make([]byte, 8)) {
				losses++
			}
			if _, err := merged.Merge(0, state); err != nil {
				t.Fatal(err)
			}
			tuples = append(tuples, fmt.Sprintf("('%x')", state))
			compared++
		}
		answer := ask(t, fmt.Sprintf("SELECT hex(sumKahanMergeState(%s)) FROM values('state String', %s) SETTINGS max_threads = 1",
			castState(f, "state"), strings.Join(tuples, ", ")))[0][0]
		if got := merged.Append(nil, 0); !bytes.Equal(got, unhex(t, answer)) {
			t.Errorf("merged state is %x, want %s", got, answer)
		}
		worst = max(worst, sumError(t, f, merged, all.args[0].F64))
		sums := resolve(t, "sum", nil, tFloat)
		plain = max(plain, sumError(t, sums, one(sums, &all.args[0]), all.args[0].F64))
	}
	t.Logf("%d states compared with the engine, %d with a loss; worst error of merged states %.2g, of sum %.2g", compared, losses, worst, plain)
	if losses == 0 || worst > documentedKahanError {
		t.Errorf("%d states with a loss; error %v, documented %v", losses, worst, documentedKahanError)
	}
}

// sumError is the distance from the exact sum, relative to the sum of absolute values.
func sumError(t *testing.T, f *agg.Function, s agg.States, values []float64) float64 {
	t.Helper()
	got, err := strconv.ParseFloat(finalText(f, s, 0), 64)
	if err != nil {
		t.Fatal(err)
	}
	exact, size := new(big.Float).SetPrec(2000), 0.0
	for _, x := range values {
		exact.Add(exact, big.NewFloat(x))
		size += math.Abs(x)
	}
	distance, _ := new(big.Float).Sub(exact, big.NewFloat(got)).Float64()
	return math.Abs(distance) / size
}
