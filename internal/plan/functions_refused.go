package plan

const (
	notDeterministic     = "its value is another each time, so that a recomputation would differ"
	failsAtZero          = "it fails in ClickHouse where an argument is 0"
	failsAtZeroHint      = "compute it in the query that reads the view"
	lastDigits           = "its last digits depend on the mathematics library, so that batch and speed would differ"
	lastDigitsHint       = "compute it in the query that reads the view"
	otherURLs            = "it reads URLs in another way than views do"
	guessesTimes         = "it guesses what a text means, and fails where it cannot"
	guessesTimesHint     = "declare the column as DateTime64"
	notDeterministicHint = "use a column of the event, such as its event time"
)

// refusedFunctions are ClickHouse functions that a view can never have.
var refusedFunctions = map[string]refusal{
	"now":              {notDeterministic, notDeterministicHint},
	"now64":            {notDeterministic, notDeterministicHint},
	"today":            {notDeterministic, notDeterministicHint},
	"yesterday":        {notDeterministic, notDeterministicHint},
	"rand":             {notDeterministic, notDeterministicHint},
	"rand32":           {notDeterministic, notDeterministicHint},
	"rand64":           {notDeterministic, notDeterministicHint},
	"randcanonical":    {notDeterministic, notDeterministicHint},
	"randconstant":     {notDeterministic, notDeterministicHint},
	"generateuuidv4":   {notDeterministic, notDeterministicHint},
	"generateuuidv7":   {notDeterministic, notDeterministicHint},
	"rownumberinblock": {notDeterministic, notDeterministicHint},
	"gcd":              {failsAtZero, failsAtZeroHint}, "lcm": {failsAtZero, failsAtZeroHint},
	"exp": {lastDigits, lastDigitsHint}, "exp2": {lastDigits, lastDigitsHint}, "exp10": {lastDigits, lastDigitsHint},
	"log": {lastDigits, lastDigitsHint}, "ln": {lastDigits, lastDigitsHint}, "log2": {lastDigits, lastDigitsHint}, "log10": {lastDigits, lastDigitsHint}, "log1p": {lastDigits, lastDigitsHint},
	"pow": {lastDigits, lastDigitsHint}, "power": {lastDigits, lastDigitsHint}, "cbrt": {lastDigits, lastDigitsHint}, "hypot": {lastDigits, lastDigitsHint},
	"sin": {lastDigits, lastDigitsHint}, "cos": {lastDigits, lastDigitsHint}, "tan": {lastDigits, lastDigitsHint},
	"asin": {lastDigits, lastDigitsHint}, "acos": {lastDigits, lastDigitsHint}, "atan": {lastDigits, lastDigitsHint}, "atan2": {lastDigits, lastDigitsHint},
	"sinh": {lastDigits, lastDigitsHint}, "cosh": {lastDigits, lastDigitsHint}, "tanh": {lastDigits, lastDigitsHint},
	"domainrfc": {otherURLs, "use domain"}, "portrfc": {otherURLs, "use port"}, "topleveldomainrfc": {otherURLs, "use topLevelDomain"},
	"domainwithoutwwwrfc":     {otherURLs, "use domainWithoutWWW"},
	"parsedatetimebesteffort": {guessesTimes, guessesTimesHint}, "parsedatetime64besteffort": {guessesTimes, guessesTimesHint},
	"tounixtimestamp": {"it fails in ClickHouse for times before 1970 and after 2106", "use toUnixTimestamp64Second"},
	"hostname":        {"its value depends on the machine", "leave it out"},
	"throwif":         {"it fails on purpose", "filter the rows with WHERE"},
	"sleep":           {"it does nothing", "leave it out"},
}
