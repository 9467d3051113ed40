package agg

import "strings"

// bases are all aggregate functions by name. Names that are read in any case stand here in
// lower case.
var bases = withAliases(map[string]base{
	"count": {anyCase: true, batch: "count", takes: 1, neverNull: true, bind: bindCount},
	"sum":   {anyCase: true, batch: "sum", takes: 1, bind: bindSum},
	"avg":   {anyCase: true, batch: "avg", takes: 1, bind: bindAvg},
	"min":   {anyCase: true, batch: "min", takes: 1, bind: bindMin},
	"max":   {anyCase: true, batch: "max", takes: 1, bind: bindMax},

	"sumKahan":    {batch: "sumKahan", takes: 1, bind: bindSumKahan},
	"avgWeighted": {batch: "avgWeighted", takes: 2, bind: bindAvgWeighted},
	"argMin":      {batch: "argMin", takes: 2, bind: bindArgMin},
	"argMax":      {batch: "argMax", takes: 2, bind: bindArgMax},

	"varPop":     {batch: "varPop", takes: 1, bind: bindMoments(2, (*moments).varPop)},
	"varSamp":    {batch: "varSamp", takes: 1, bind: bindMoments(2, (*moments).varSamp)},
	"stddevPop":  {batch: "stddevPop", takes: 1, bind: bindMoments(2, (*moments).stddevPop)},
	"stddevSamp": {batch: "stddevSamp", takes: 1, bind: bindMoments(2, (*moments).stddevSamp)},
	"skewPop":    {batch: "skewPop", takes: 1, bind: bindMoments(3, (*moments).skewPop)},
	"skewSamp":   {batch: "skewSamp", takes: 1, bind: bindMoments(3, (*moments).skewSamp)},
	"kurtPop":    {batch: "kurtPop", takes: 1, bind: bindMoments(4, (*moments).kurtPop)},
	"kurtSamp":   {batch: "kurtSamp", takes: 1, bind: bindMoments(4, (*moments).kurtSamp)},
	"covarPop":   {batch: "covarPop", takes: 2, bind: bindComoments(covarWidth, covarPop)},
	"covarSamp":  {batch: "covarSamp", takes: 2, bind: bindComoments(covarWidth, covarSamp)},
	"corr":       {anyCase: true, batch: "corr", takes: 2, bind: bindComoments(corrWidth, corr)},

	"groupBitAnd": {batch: "groupBitAnd", takes: 1, bind: bindBits(bitAnd)},
	"groupBitOr":  {batch: "groupBitOr", takes: 1, bind: bindBits(bitOr)},
	"groupBitXor": {batch: "groupBitXor", takes: 1, bind: bindBits(bitXor)},

	"groupBitmap": {batch: "groupBitmap", takes: 1, bind: bindBitmap},

	"uniq":      {batch: "uniq", takes: 1, more: true, neverNull: true, bind: bindUniq},
	"uniqExact": {batch: "uniqExact", takes: 1, more: true, neverNull: true, bind: bindUniqExact},

	"quantile":                {batch: "quantileTDigest", takes: 1, params: quantileLevel, bind: bindQuantile},
	"quantileTDigest":         {batch: "quantileTDigest", takes: 1, params: quantileLevel, bind: bindQuantile},
	"quantileTDigestWeighted": {batch: "quantileTDigestWeighted", takes: 2, params: quantileLevel, bind: bindQuantileWeighted},
	"quantileExact":           {batch: "quantileExact", takes: 1, params: quantileLevel, bind: bindQuantileExact(exactPlace)},
	"quantileExactLow":        {batch: "quantileExactLow", takes: 1, params: quantileLevel, bind: bindQuantileExact(exactLowPlace)},
	"quantileExactHigh":       {batch: "quantileExactHigh", takes: 1, params: quantileLevel, bind: bindQuantileExact(exactPlace)},
})

// aliases are further names of functions, as ClickHouse has them.
var aliases = []alias{
	{"var_pop", "varPop", true}, {"var_samp", "varSamp", true},
	{"stddev_pop", "stddevPop", true}, {"std", "stddevPop", true},
	{"stddev_samp", "stddevSamp", true}, {"stddev", "stddevSamp", true},
	{"covar_pop", "covarPop", true}, {"covar_samp", "covarSamp", true},
	{"bit_and", "groupBitAnd", true}, {"bit_or", "groupBitOr", true}, {"bit_xor", "groupBitXor", true},
	{"median", "quantile", false}, {"medianTDigest", "quantileTDigest", false},
	{"medianTDigestWeighted", "quantileTDigestWeighted", false},
	{"medianExact", "quantileExact", false},
	{"medianExactLow", "quantileExactLow", false}, {"medianExactHigh", "quantileExactHigh", false},
}

type alias struct {
	name, of string
	anyCase  bool
}

func withAliases(functions map[string]base) map[string]base {
	for _, a := range aliases {
		b := functions[a.of]
		b.anyCase = a.anyCase
		functions[a.name] = b
	}
	return functions
}

// AliasOf returns the function that a name is only a further name of, if it is one.
func AliasOf(name string) (of string, ok bool) {
	for _, a := range aliases {
		if a.name == name {
			return a.of, true
		}
	}
	return "", false
}

// refusal says why a function of ClickHouse is not here, and what to write instead.
type refusal struct{ why, instead string }

const (
	rowOrder   = "its value depends on the order of rows, which the two layers do not share"
	otherState = "its state is not rebuilt in the speed layer"
)

// refusals are by name in lower case.
var refusals = map[string]refusal{
	"any":            {rowOrder, "write min(x), or argMin(x, time) with the event time for the earliest"},
	"any_value":      {rowOrder, "write min(x), or argMin(x, time) with the event time for the earliest"},
	"first_value":    {rowOrder, "write argMin(x, time) with the event time"},
	"anylast":        {rowOrder, "write max(x), or argMax(x, time) with the event time for the latest"},
	"last_value":     {rowOrder, "write argMax(x, time) with the event time"},
	"uniqcombined":   {otherState, "write uniq(x), or uniqExact(x)"},
	"uniqcombined64": {otherState, "write uniq(x), or uniqExact(x)"},
	"uniqhll12":      {otherState, "write uniq(x), or uniqExact(x)"},
	"quantiledd":     {"in ClickHouse an infinity, or values too far apart, would fail the whole recomputation", "write quantile(0.95)(x), or quantileExact(0.95)(x)"},
	"mediandd":       {"in ClickHouse an infinity, or values too far apart, would fail the whole recomputation", "write median(x), or medianExact(x)"},
}

// Refused says why an aggregate function of ClickHouse is not here, and what to write
// instead; ok is false for other names.
func Refused(name string) (why, instead string, ok bool) {
	r, ok := refusals[strings.ToLower(stemOf(name))]
	return r.why, r.instead, ok
}
