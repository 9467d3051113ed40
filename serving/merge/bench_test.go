package merge

import (
	"fmt"
	"testing"

	"github.com/millrace/millrace/internal/event"
)

// BenchmarkRun merges 100,000 groups of the batch layer, which are cached from the second
// run on, with 10,000 of the speed layer's current epoch. Bytes are those of the answer.
func BenchmarkRun(b *testing.B) {
	w := newWorld(newParts(b), b, "CREATE VIEW v AS SELECT page, count() AS hits, sum(n) AS total, avg(price) AS mean FROM s GROUP BY page, tumble(ts, INTERVAL 1 DAY)")
	defer w.drop()
	rows := func(n int) *event.Batch {
		batch := event.NewBatch(w.view.Plan.Stream.Schema)
		for i := range n {
			batch.Columns[0].AppendInt64(int64(i))
			batch.Columns[1].AppendString(fmt.Appendf(nil, "page-%d", i))
			batch.Columns[2].AppendString(nil)
			batch.Columns[3].AppendInt64(int64(i))
			batch.Columns[4].AppendFloat64(float64(i))
			batch.Columns[5].AppendBool(true)
			batch.Columns[6].AppendString(nil)
		}
		batch.Rows = n
		return batch
	}
	w.append(0, firstEpoch, rows(100_000))
	w.append(0, firstEpoch+1, rows(10_000))
	w.append(1, firstEpoch+1, rows(0))
	w.publish(firstEpoch)
	for p := range partitions {
		w.flush(p, w.begin(p, firstEpoch), firstEpoch+1)
	}
	for _, c := range []struct {
		name string
		q    Query
	}{
		{"whole", all()},
		{"top10", Query{From: MinTime, To: MaxTime, Order: []Order{{Column: "hits", Desc: true}}, Limit: 10}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				size = w.run(c.q).Batch.SizeBytes()
			}
			b.SetBytes(int64(size))
		})
	}
}
