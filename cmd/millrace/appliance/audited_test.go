package appliance

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestAnAnswersEntryIsWrittenAtItsEnd: once, with the rows that there are then, and with
// what broke it off.
func TestAnAnswersEntryIsWrittenAtItsEnd(t *testing.T) {
	broken := errors.New("the engine is gone")
	for name, c := range map[string]struct {
		from io.Reader
		want error
	}{
		"whole": {strings.NewReader("1\n2\n"), nil}, "broken off": {io.MultiReader(strings.NewReader("1\n"), iotest.ErrReader(broken)), broken},
	} {
		entries, read := 0, false
		b := &auditedBody{ReadCloser: io.NopCloser(c.from), rows: func() int64 { return map[bool]int64{true: 2}[read] }, ended: func(rows int64, err error) {
			if entries++; rows != 2 || !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("%s: %d rows, %v", name, rows, err)
			}
		}}
		_, _ = io.Copy(io.Discard, b)
		if read = true; entries != 0 {
			t.Errorf("%s: the entry came before the end", name)
		}
		_, _ = b.Close(), b.Close()
		if entries != 1 {
			t.Errorf("%s: %d entries", name, entries)
		}
	}
}
