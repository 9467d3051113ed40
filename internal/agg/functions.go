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

	"uniq":      {batch: "uniq", takes: 1, neverNull: true, bind: bindUniq},
	"uniqExact": {batch: "uniqExact", takes: 1, neverNull: true, bind: bindUniqExact},

	"quantile":          {batch: "quantileTDigest", takes: 1, params: quantileLevel, bind: bindQuantile},
	"quantileTDigest":   {batch: "quantileTDigest", takes: 1, params: quantileLevel, bind: bindQuantile},
	"quantileExact":     {batch: "quantileExact", takes: 1, params: quantileLevel, bind: bindQuantileExact(exactPlace)},
	"quantileExactLow":  {batch: "quantileExactLow", takes: 1, params: quantileLevel, bind: bindQuantileExact(exactLowPlace)},
	"quantileExactHigh": {batch: "quantileExactHigh", takes: 1, params: quantileLevel, bind: bindQuantileExact(exactPlace)},
})

// aliases are further names of functions, as ClickHouse has them.
var aliases = []alias{
	{"var_pop", "varPop", true}, {"var_samp", "varSamp", true},
	{"stddev_pop", "stddevPop", true}, {"std", "stddevPop", true},
	{"stddev_samp", "stddevSamp", true}, {"stddev", "stddevSamp", true},
	{"covar_pop", "covarPop", true}, {"covar_samp", "covarSamp", true},
	{"bit_and", "groupBitAnd", true}, {"bit_or", "groupBitOr", true}, {"bit_xor", "groupBitXor", true},
	{"median", "quantile", false}, {"medianTDigest", "quantileTDigest", false},
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

// insteadOf says what to write instead of functions whose value depends on the order of
// rows, which the two layers do not share.
var insteadOf = map[string]string{
	"any":         "write min(x), or argMin(x, time) with the event time for the earliest",
	"any_value":   "write min(x), or argMin(x, time) with the event time for the earliest",
	"first_value": "write argMin(x, time) with the event time",
	"anylast":     "write max(x), or argMax(x, time) with the event time for the latest",
	"last_value":  "write argMax(x, time) with the event time",
}

// OrderDependent says what to write instead of a function of ClickHouse that Millrace
// refuses because its value depends on the order of rows; false for other names.
func OrderDependent(name string) (instead string, ok bool) {
	instead, ok = insteadOf[strings.ToLower(stemOf(name))]
	return instead, ok
}
