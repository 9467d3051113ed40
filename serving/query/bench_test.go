package query

import (
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/event"
)

const (
	benchRows   = 3_000_000 // of the stream, in two files
	benchGroups = 100_000   // of the view
)

// BenchmarkSQL asks the same of the executor and of the bare engine: what the check of
// the text, the session and the handing over of a view cost, and that a stream's columns
// are still read one by one.
func BenchmarkSQL(b *testing.B) {
	s := newSetting(b)
	s.with(func(l *Limits) {
		l.Rows, l.Bytes, l.MemoryBytes, l.ViewRows, l.Time = 1e7, 1<<30, 4<<30, 1e7, time.Minute
	})
	dir := b.TempDir()
	c := enginetest.Client(b)
	const columns = `ts DateTime64(3, \'UTC\'), page String, n Int64` // in a string of the engine's
	for i := range 2 {
		err := c.Exec(b.Context(), fmt.Sprintf("INSERT INTO FUNCTION file('%s', 'Parquet', '%s') SELECT toDateTime64('2026-01-01 00:00:00', 3, 'UTC') + number AS ts, 'page-' || toString(cityHash64(number) %% 100000) AS page, number AS n FROM numbers(%d, %d)",
			filepath.Join(dir, fmt.Sprint(i, ".parquet")), columns, i*benchRows/2, benchRows/2))
		if err != nil {
			b.Fatal(err)
		}
	}
	s.history.engine = "File('Parquet', '" + dir + "/{0,1}.parquet')"
	view := event.NewBatch(s.views.batch.Schema)
	for i := range benchGroups {
		view.Columns[0].AppendInt64(1_767_225_600)
		view.Columns[1].AppendString(fmt.Appendf(nil, "Page-%d", i))
		view.Columns[2].AppendString(fmt.Appendf(nil, "page-%d", i))
		view.Columns[3].AppendUInt64(uint64(i))
		view.Rows++
	}
	s.views.batch = view
	if err := c.Exec(b.Context(), "CREATE TABLE bench_view (window_start DateTime64(0, 'UTC'), page String, low String, hits UInt64) ENGINE = Memory"); err != nil {
		b.Fatal(err)
	}
	if err := c.Insert(b.Context(), "bench_view", view); err != nil {
		b.Fatal(err)
	}
	file := "file('" + dir + "/{0,1}.parquet', 'Parquet', '" + columns + "')"
	for _, q := range []struct{ name, text, stream, view string }{
		{"one", "SELECT 1", "", ""},
		{"stream-count", "SELECT count() FROM %s", file, ""},
		{"stream-sum", "SELECT sum(n) FROM %s", file, ""},
		{"stream-group", "SELECT page, count() AS c FROM %s GROUP BY page ORDER BY c DESC, page LIMIT 10", file, ""},
		{"view-top", "SELECT low, hits FROM %s ORDER BY hits DESC LIMIT 10", "", "bench_view"},
		{"view-join-stream", "SELECT low, any(hits), sum(n) AS total FROM %[2]s AS v JOIN %[1]s AS e ON v.low = e.page GROUP BY low ORDER BY total DESC LIMIT 10", file, "bench_view"},
	} {
		own, bare := q.text, q.text
		switch {
		case q.stream != "" && q.view != "":
			own, bare = fmt.Sprintf(q.text, "s", "v"), fmt.Sprintf(q.text, q.stream, q.view)
		case q.stream != "":
			own, bare = fmt.Sprintf(q.text, "s"), fmt.Sprintf(q.text, q.stream)
		case q.view != "":
			own, bare = fmt.Sprintf(q.text, "v"), fmt.Sprintf(q.text, q.view)
		}
		b.Run(q.name+"/millrace", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.try(Request{Text: own, Format: "TSV"}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(q.name+"/engine", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				body, err := c.QueryRaw(b.Context(), bare, "TSV")
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, body); err != nil {
					b.Fatal(err)
				}
				_ = body.Close()
			}
		})
	}
}
