package decode

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/event"
)

// TestClassesQuoteNoRow refuses rows in every way, each with two different values: their
// reasons have one class, and nothing of a row is in it.
func TestClassesQuoteNoRow(t *testing.T) {
	stream := testStream(t)
	limits := Limits{MaxRowBytes: 120, MaxDepth: 4, MaxFields: 5}
	long := strings.Repeat("4711", 40)
	for _, c := range []struct {
		format Format
		row    string // § is the value
		class  string
	}{
		{NDJSON, `{"ts":"§"}`, `column "ts" takes a time like "2001-02-03T04:05:06Z" or seconds since 1970, from 1900 to 2299`},
		{NDJSON, `{"ts":1,"i":"§, not x"}`, `column "i" takes an integer from -9223372036854775808 to 9223372036854775807`},
		{NDJSON, `{"ts":1,"b":"§"}`, `column "b" takes true, false, 0 or 1`},
		{NDJSON, `"§"`, "an event is a JSON object"},
		{NDJSON, `{"ts":1,"§` + "\xff" + `":1}`, "a key is not UTF-8"},
		{NDJSON, `{"ts":1,§`, "invalid JSON"},
		{NDJSON, `{"ts":1} "§"`, "there is text after the event's object"},
		{NDJSON, `{"ts":1,"s":"` + long + `§"}`, "the event is larger than the limit of 120 bytes"},
		{NDJSON, `{"ts":1,"s":[[[[["§"]]]]]}`, "the event nests deeper than the limit of 4 levels"},
		{NDJSON, `{"ts":1,"a":"§","x":1,"y":1,"z":1,"e":1}`, "the event has more than 5 fields"},
		{NDJSON, `{"s":"§"}`, `the event time, column "ts", is missing`},
		{CSV, "ts,s\n1,\"§\"x", "invalid CSV"},
		{CSV, "ts,s\n1,§,2", "the row has not the 2 fields of its header"},
		{CSV, "ts,s\n1," + long + "§", "the row is larger than the limit of 120 bytes"},
	} {
		for _, value := range []string{"secret", "other secret, not this"} {
			rejected, err := NewDecoder(stream, limits).Decode(event.NewBatch(stream.Schema), c.format, []byte(strings.ReplaceAll(c.row, "§", value)), testNow)
			if err != nil || len(rejected) != 1 {
				t.Errorf("%s with %s: %v, %d rows are refused", c.row, value, err, len(rejected))
				continue
			}
			if got := Class(rejected[0].Reason); got != c.class {
				t.Errorf("%s with %s: %s\nis of class %s\nwant       %s", c.row, value, rejected[0].Reason, got, c.class)
			}
		}
	}
}
