package plan

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

// trial is one expression in its three forms: the user's text and the bound text, which
// the engine runs, and the evaluator.
type trial struct {
	text  string
	user  string // the parsed text, printed
	bound *bound
	// ownMeaning says that Millrace defines what ClickHouse leaves open or fails at, so
	// that the user's text cannot be compared.
	ownMeaning bool
}

// newTrial binds an expression over testSchema; ok is false where it is refused.
func newTrial(text string) (trial, error) {
	e, err := sql.ParseExpr(text)
	if err != nil {
		return trial{}, err
	}
	b, err := BindExpr(e, testSchema)
	if err != nil {
		return trial{}, err
	}
	t := trial{text: text, user: e.String(), bound: b.(*bound)}
	// These are the only texts that the binder writes otherwise than the user.
	t.ownMeaning = strings.Contains(t.bound.text, "< 1099511627776") || strings.Contains(t.bound.text, "materialize(") || strings.Contains(t.bound.text, "toValidUTF8(") && !strings.Contains(t.user, "toValidUTF8(") || strings.Contains(t.user, "assumeNotNull") || guardedCast.MatchString(t.bound.text) || ownString.MatchString(t.user)
	return t, nil
}

// guardedCast is the binder's text of an integer made of a Float64.
var guardedCast = regexp.MustCompile(`toU?Int\d+\(if\(`)

// ownString is an expression of a type that is a String here: a FixedString or an Enum
// there.
var ownString = regexp.MustCompile(`^(MD5|SHA\d+|JSONType)\(`)

func seed(tb testing.TB) *rand.Rand {
	s := rand.Uint64()
	if v := os.Getenv("MILLRACE_TEST_SEED"); v != "" {
		s, _ = strconv.ParseUint(v, 10, 64)
	}
	tb.Logf("MILLRACE_TEST_SEED=%d", s)
	return rand.New(rand.NewPCG(s, 0))
}

// bench is a table in the engine and the same rows here.
type bench struct {
	client *clickhouse.Client
	table  string
	batch  *event.Batch
}

func newBench(t *testing.T, table string, batch *event.Batch) *bench {
	t.Helper()
	b := &bench{client: enginetest.Client(t), table: table, batch: batch}
	var columns []string
	for _, c := range batch.Schema.Columns {
		columns = append(columns, c.Name+" "+c.Type.String())
	}
	ctx := t.Context()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(b.client.Exec(ctx, "DROP TABLE IF EXISTS "+table))
	must(b.client.Exec(ctx, "CREATE TABLE "+table+" ("+strings.Join(columns, ", ")+") ENGINE = Memory"))
	must(b.client.Insert(ctx, table, batch))
	t.Cleanup(func() { _ = b.client.Exec(context.Background(), "DROP TABLE "+table) })
	return b
}

// engine computes expressions over the table, in the order of the rows.
func (b *bench) engine(ctx context.Context, expressions []string) (*event.Batch, error) {
	list := make([]string, len(expressions))
	for i, e := range expressions {
		list[i] = fmt.Sprintf("%s AS x%d", e, i)
	}
	return b.client.QueryBatch(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+b.table+" ORDER BY n SETTINGS session_timezone = 'UTC'")
}

// check compares the forms of each trial on all rows and returns how many values it
// compared. Each difference is an error of the test.
func (b *bench) check(t *testing.T, trials []trial) int {
	t.Helper()
	const perQuery = 40
	compared := 0
	for from := 0; from < len(trials); from += perQuery {
		part := trials[from:min(from+perQuery, len(trials))]
		var list []string
		for _, tr := range part {
			list = append(list, b.forms(tr)...)
		}
		answer, err := b.engine(t.Context(), list)
		if err != nil && len(part) > 1 {
			for _, tr := range part {
				compared += b.check(t, []trial{tr})
			}
			continue
		}
		if err != nil {
			t.Errorf("%s\n  bound: %s\n  the engine fails: %v", part[0].text, part[0].bound.text, err)
			continue
		}
		at := 0
		for _, tr := range part {
			n := len(b.forms(tr))
			compared += b.compare(t, tr, answer.Columns[at:at+n])
			at += n
		}
	}
	return compared
}

// forms are the columns that the engine computes for a trial.
func (b *bench) forms(tr trial) []string {
	forms := []string{tr.bound.text, "toTypeName(" + tr.bound.text + ")"}
	if !tr.ownMeaning {
		forms = append(forms, "CAST(("+tr.user+") AS "+tr.bound.typ.String()+")", "toTypeName("+tr.user+")")
	}
	return forms
}

func (b *bench) compare(t *testing.T, tr trial, got []event.Vector) int {
	t.Helper()
	ours, err := Compile(tr.bound).Eval(b.batch.Columns, b.batch.Rows)
	if err != nil {
		t.Errorf("%s: %v", tr.text, err)
		return 0
	}
	if ours.Len() != b.batch.Rows || got[0].Len() != b.batch.Rows {
		t.Errorf("%s: %d rows here and %d in the engine, of %d", tr.text, ours.Len(), got[0].Len(), b.batch.Rows)
		return 0
	}
	checkZeros(t, tr, ours)
	if name := got[1].Value(0); name != tr.bound.typ.String() {
		t.Errorf("%s\n  bound: %s\n  has type %s in the engine, not %s", tr.text, tr.bound.text, name, tr.bound.typ)
	}
	n := b.same(t, tr, "bound text", &got[0], ours)
	if !tr.ownMeaning {
		want := tr.bound.root.typ.name()
		name := strings.ReplaceAll(fmt.Sprint(got[3].Value(0)), "LowCardinality(UInt8)", "UInt8")
		name = strings.ReplaceAll(name, "DateTime)", "DateTime('UTC'))")
		if !tr.bound.root.lowCardinality && name != want && !strings.Contains(name, "DateTime") {
			t.Errorf("%s\n  is %s in the engine, not %s", tr.text, name, want)
		}
		n += b.same(t, tr, "user's text", &got[2], ours)
	}
	return n
}

func (b *bench) same(t *testing.T, tr trial, form string, engine, ours *event.Vector) int {
	t.Helper()
	for i := range b.batch.Rows {
		want, got := engine.Value(i), ours.Value(i)
		if sameValue(want, got) {
			continue
		}
		if f, ok := want.(float64); ok && f == got && tr.bound.root.lowCardinality {
			continue // a dictionary of ClickHouse has one zero only
		}
		row := ""
		seen := map[int]bool{}
		tr.bound.Columns(seen)
		for c := range seen {
			row += fmt.Sprintf(" %s=%#v", b.batch.Schema.Columns[c].Name, b.batch.Columns[c].Value(i))
		}
		t.Errorf("%s\n  bound: %s\n  row:%s\n  %s in the engine: %#v, here: %#v", tr.text, tr.bound.text, row, form, want, got)
		return i
	}
	return b.batch.Rows
}

// sameValue compares floats by bits, except that every NaN is the same.
func sameValue(a, b any) bool {
	x, ok := a.(float64)
	y, ok2 := b.(float64)
	if ok && ok2 {
		return math.Float64bits(x) == math.Float64bits(y) || math.IsNaN(x) && math.IsNaN(y)
	}
	return a == b
}

// checkZeros checks that null rows hold the type's zero.
func checkZeros(t *testing.T, tr trial, v *event.Vector) {
	t.Helper()
	plain := *v
	plain.Nulls = nil
	for i := range v.Len() {
		if v.Null(i) {
			switch z := plain.Value(i); z {
			case false, int64(0), uint64(0), float64(0), "":
			default:
				t.Errorf("%s: null row %d holds %#v", tr.text, i, z)
				return
			}
		}
	}
}

// TestFunctionExamples checks every entry's example in the engine and here.
func TestFunctionExamples(t *testing.T) {
	b := newBench(t, "plan_examples", randomBatch(seed(t), testSchema, 1))
	var trials []trial
	for _, f := range Functions() {
		tr, err := newTrial(f.Example)
		if err != nil {
			t.Errorf("%s: example %s: %v", f.Name, f.Example, err)
			continue
		}
		trials = append(trials, tr)
		answer, err := b.engine(t.Context(), []string{"toString(" + f.Example + ")"})
		if err != nil {
			t.Errorf("%s: example %s: %v", f.Name, f.Example, err)
			continue
		}
		if got := answer.Columns[0].Value(0); got != f.Result {
			t.Errorf("%s: example %s is %v in the engine, documented as %q", f.Name, f.Example, got, f.Result)
		}
	}
	b.check(t, trials)
}

var long = flag.Bool("long", false, "run the differential test with more rows and expressions of each function")

// TestEngineAgrees is the differential test: random expressions over random rows give the
// same in ClickHouse, from the user's text and from the bound one, and in Go. Every entry
// of the registry takes part; its long form gives each at least 10,000 rows.
func TestEngineAgrees(t *testing.T) {
	r := seed(t)
	rows, perFunction := 1000, 6
	if *long {
		rows, perFunction = 10000, 16
	}
	b := newBench(t, "plan_rows", randomBatch(r, testSchema, rows))
	g := generator{r: r}
	var trials []trial
	refused := 0
	for _, f := range Functions() {
		written := 0
		for tries := 0; written < perFunction && tries < 40*perFunction; tries++ {
			tr, err := newTrial(g.call(f.Name, 2))
			if err != nil {
				refused++
				continue
			}
			written++
			trials = append(trials, tr)
		}
		if written < perFunction {
			t.Errorf("%s ran in %d expressions only", f.Name, written)
		}
	}
	values := b.check(t, trials)
	t.Logf("%d functions, each over %d rows in %d expressions (%d more were refused): %d values compared", len(Functions()), rows, perFunction, refused, values)
}
