package plan

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

// TestEngineParsesAndPrints compares, on many rows of one kind, what random texts alone
// would seldom meet: the reading and writing of numbers, and LIKE.
func TestEngineParsesAndPrints(t *testing.T) {
	r := seed(t)
	const rows = 20000
	batch := event.NewBatch(testSchema)
	batch.Rows = rows
	for i := range batch.Columns {
		v := &batch.Columns[i]
		for n := range rows {
			switch testSchema.Columns[i].Name {
			case "n":
				v.AppendInt64(int64(n))
			case "s":
				v.AppendString([]byte(numberText(r)))
			case "s2":
				v.AppendString([]byte(randomText(r, false)))
			default:
				appendRandom(r, v)
			}
		}
	}
	b := newBench(t, "plan_texts", batch)
	texts := []string{
		"toFloat64OrNull(s)", "toFloat64OrZero(s)", "toInt64OrNull(s)", "toUInt64OrNull(s)", "toString(f)", "toString(t9)", "toString(t3)", "toString(d)",
		"toString(toFloat64OrZero(s))", "toFloat64(t9)", "toFloat64(t3)", "toFloat64(i)", "toFloat64(u)", "i < f", "u < f", "f = i", "i = u",
	}
	g := generator{r: r}
	for range 60 {
		texts = append(texts, "s2 LIKE "+sql.QuoteString(g.pattern()), "s2 ILIKE "+sql.QuoteString(g.pattern()))
	}
	var trials []trial
	for _, text := range texts {
		if tr, err := newTrial(text); err == nil {
			trials = append(trials, tr)
		}
	}
	t.Logf("%d expressions, %d values compared", len(trials), b.check(t, trials))
}

// numberText is something like a number.
func numberText(r *rand.Rand) string {
	digits := func(n int) string {
		s := ""
		for range r.IntN(n + 1) {
			s += strconv.Itoa(r.IntN(10))
		}
		return s
	}
	switch r.IntN(6) {
	case 0:
		return strconv.FormatFloat(randomFloat(r, false), 'g', -1, 64)
	case 1:
		return pickOne(r, []string{"", "-", "+"}) + digits(22)
	case 2:
		return pickOne(r, edgeTexts)
	case 3:
		return pickOne(r, []string{"", "-", "+"}) + strings.Repeat("0", r.IntN(4)) + digits(20) + "." + digits(25)
	}
	return fmt.Sprintf("%s%s.%se%d", pickOne(r, []string{"", "-"}), digits(3), digits(20), r.IntN(700)-350)
}
