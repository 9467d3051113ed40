package seal

import (
	"errors"
	"testing"

	"github.com/millrace/millrace/internal/event"
)

// FuzzDecode: what decodes encodes to the same seal; the rest is ErrCorrupt.
func FuzzDecode(f *testing.F) {
	s := Seal{
		Stream: "clicks.7", From: 5, To: 8, LastEpoch: 5, Rows: 3, LastSeq: 9, Arrival: 1,
		Files: []File{{Name: "x", Rows: 3, Days: []int32{-1, 4}}}, Last: event.Position{Seq: 9, Row: 2},
	}
	data, err := encode(&s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decode(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("not ErrCorrupt: %v", err)
			}
			return
		}
		again, err := encode(&s)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := decode(again); err != nil || Name(&back) != Name(&s) || back.Rows != s.Rows {
			t.Fatalf("%+v became %+v, %v", s, back, err)
		}
	})
}
