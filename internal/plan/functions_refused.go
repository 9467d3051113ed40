package plan

const (
	notDeterministic     = "its value is another each time, so that a recomputation would differ"
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
	"hostname":         {"its value depends on the machine", "leave it out"},
	"throwif":          {"it fails on purpose", "filter the rows with WHERE"},
	"sleep":            {"it does nothing", "leave it out"},
}
