package format

import (
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/event"
)

func sample(t *testing.T) *event.Batch {
	t.Helper()
	schema, err := event.NewSchema(
		event.Column{Name: "s", Type: event.Type{Kind: event.String, Nullable: true}},
		event.Column{Name: "f", Type: event.Type{Kind: event.Float64}},
		event.Column{Name: "at", Type: event.Type{Kind: event.DateTime64, Precision: 3}},
		event.Column{Name: "u", Type: event.Type{Kind: event.UInt64}},
	)
	if err != nil {
		t.Fatal(err)
	}
	b := event.NewBatch(schema)
	for i, s := range []string{"a\"b\n\x01", "bad\xff", ""} {
		if s == "" {
			b.Columns[0].AppendZero(true)
		} else {
			b.Columns[0].AppendString([]byte(s))
		}
		b.Columns[1].AppendFloat64([]float64{1.5, math.NaN(), math.Inf(-1)}[i])
		b.Columns[2].AppendInt64([]int64{-1, 0, 1_700_000_000_123}[i])
		b.Columns[3].AppendUInt64(math.MaxUint64)
		b.Rows++
	}
	return b
}

func TestJSONIsWhatAnyReaderReads(t *testing.T) {
	var out strings.Builder
	f, err := Named("JSON")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(&out, sample(t), Field{"provenance", []byte(`{"cut":1}`)}); err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Meta []struct{ Name, Type string }
		Data []struct {
			S  *string
			F  *float64
			At string
			U  uint64
		}
		Rows       int
		Provenance struct{ Cut int }
	}
	if err := json.Unmarshal([]byte(out.String()), &answer); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	d := answer.Data
	if answer.Rows != 3 || len(d) != 3 || answer.Provenance.Cut != 1 || answer.Meta[2].Type != "DateTime64(3, 'UTC')" {
		t.Fatalf("got %+v", answer)
	}
	if *d[0].S != "a\"b\n\x01" || *d[1].S != "bad\uFFFD" || d[2].S != nil {
		t.Errorf("strings: %+v", d)
	}
	if *d[0].F != 1.5 || d[1].F != nil || d[2].F != nil {
		t.Errorf("floats: %+v", d)
	}
	if d[0].At != "1969-12-31 23:59:59.999" || d[2].At != "2023-11-14 22:13:20.123" || d[0].U != math.MaxUint64 {
		t.Errorf("times and integers: %+v", d)
	}
}

func TestCSVTellsNullFromEmpty(t *testing.T) {
	var out strings.Builder
	f, _ := Named("csv")
	if err := f.Write(&out, sample(t)); err != nil {
		t.Fatal(err)
	}
	want := "\"s\",\"f\",\"at\",\"u\"\r\n" +
		"\"a\"\"b\n\x01\",1.5,1969-12-31 23:59:59.999,18446744073709551615\r\n" +
		"\"bad\xff\",nan,1970-01-01 00:00:00.000,18446744073709551615\r\n" +
		",-inf,2023-11-14 22:13:20.123,18446744073709551615\r\n"
	if out.String() != want {
		t.Errorf("got %q\nwant %q", out.String(), want)
	}
}

func TestChooseByParameterThenAccept(t *testing.T) {
	for accept, want := range map[string]string{
		"": "json", "text/csv": "csv", "text/html, application/x-ndjson;q=0.8": "ndjson", "*/*": "json",
	} {
		r := httptest.NewRequest(http.MethodGet, "/v1/views/v", nil)
		r.Header.Set("Accept", accept)
		if f, err := Choose(r); err != nil || f.Name != want {
			t.Errorf("Accept %q: got %q, %v, want %q", accept, f.Name, err, want)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/v1/views/v?format=Arrow", nil)
	r.Header.Set("Accept", "text/csv")
	if f, err := Choose(r); err != nil || f.Name != "arrow" {
		t.Errorf("got %q, %v, want arrow", f.Name, err)
	}
	if _, err := Named("yaml"); err == nil {
		t.Error("yaml was accepted")
	}
}
