package decode

import "regexp"

// classes turn reasons that quote a row into what they have in common. A reason that none
// of them fits quotes nothing of the row.
var classes = []struct {
	reason *regexp.Regexp
	class  string
}{
	{regexp.MustCompile(`(?s)^(column "(?:[^"\\]|\\.)*"…? takes .*?), not .*$`), "$1"},
	{regexp.MustCompile(`(?s)^(an event is a JSON object), not .*$`), "$1"},
	{regexp.MustCompile(`(?s)^the key .* is not UTF-8$`), "a key is not UTF-8"},
	{regexp.MustCompile(`(?s)^invalid JSON.*$`), "invalid JSON"},
	{regexp.MustCompile(`(?s)^invalid CSV.*$`), "invalid CSV"},
	{regexp.MustCompile(`^the row has \d+ fields, the header (\d+)$`), "the row has not the $1 fields of its header"},
	{regexp.MustCompile(`^the (row|event) measures \d+ bytes, the limit is (\d+)$`), "the $1 is larger than the limit of $2 bytes"},
	{regexp.MustCompile(`^the event nests \d+ levels deep, the limit is (\d+)$`), "the event nests deeper than the limit of $1 levels"},
}

// Class returns what a Rejected.Reason has in common with those of other rows: the reason
// without what it quotes of its own row. Who may count refusals need not see their rows.
func Class(reason string) string {
	for _, c := range classes {
		if c.reason.MatchString(reason) {
			return c.reason.ReplaceAllString(reason, c.class)
		}
	}
	return reason
}
