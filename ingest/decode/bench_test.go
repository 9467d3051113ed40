package decode

import (
	"fmt"
	"testing"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
)

// benchStream is the stream of DESIGN 12's measurements.
func benchStream(b testing.TB) *plan.Stream {
	b.Helper()
	s, err := event.NewSchema(
		event.Column{Name: "ts", Type: event.Type{Kind: event.DateTime64, Precision: 3}},
		event.Column{Name: "user_id", Type: event.Type{Kind: event.String}},
		event.Column{Name: "page", Type: event.Type{Kind: event.String}},
		event.Column{Name: "country", Type: event.Type{Kind: event.String}},
		event.Column{Name: "latency_ms", Type: event.Type{Kind: event.Int64}},
		event.Column{Name: "price", Type: event.Type{Kind: event.Float64}},
		event.Column{Name: "ok", Type: event.Type{Kind: event.Bool}},
		event.Column{Name: event.ExtraColumn, Type: event.Type{Kind: event.String}},
	)
	if err != nil {
		b.Fatal(err)
	}
	return &plan.Stream{Name: "clicks", Schema: s, Partitions: 1}
}

const benchRows = 10_000

func benchBody(more string) []byte {
	var body []byte
	for i := range benchRows {
		body = fmt.Appendf(body, `{"ts":"2024-05-01T12:%02d:%02d.%03dZ","user_id":"user-%06d","page":"/products/%d","country":"DE","latency_ms":%d,"price":%d.%02d,"ok":%t%s}`+"\n",
			i/60%60, i%60, i%1000, i*7919%100000, i%500, i%900, i%200, i%100, i%10 != 0, more)
	}
	return body
}

func benchmark(b *testing.B, f Format, body []byte) {
	stream := benchStream(b)
	d, batch := NewDecoder(stream, Limits{}), event.NewBatch(stream.Schema)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		batch.Reset()
		rejected, err := d.Decode(batch, f, body, testNow)
		if err != nil || len(rejected) > 0 || batch.Rows != benchRows {
			b.Fatal(batch.Rows, rejected, err)
		}
	}
	b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds()/1e6, "Mevents/s")
}

func BenchmarkNDJSON(b *testing.B) { benchmark(b, NDJSON, benchBody("")) }

func BenchmarkExtra(b *testing.B) { benchmark(b, NDJSON, benchBody(`,"ref":"ad","n":12`)) }

func BenchmarkCompletePath(b *testing.B) { benchmark(b, NDJSON, benchBody(`,"geo":{"lat":1.5}`)) }
