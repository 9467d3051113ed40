package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/examples/flights"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
)

// The benchmark's load: 10,000 rows a request, as DESIGN 12 measured the prototype.
const (
	benchRows    = 10_000
	benchBodies  = 50
	benchClients = 3
	benchTotal   = 4_000_000
	benchColumns = "ts DateTime64(3), user String, page String, country String, latency_ms Int64, price Float64, ok Bool"
)

var benchViews = []string{
	"CREATE VIEW pages AS SELECT page, count() AS hits, sum(price) AS revenue, sum(latency_ms) AS latency FROM clicks GROUP BY page, tumble(ts, INTERVAL 1 MINUTE) WITH (batch = '0 0 1 1 *')",
	"CREATE VIEW countries AS SELECT country, count() AS hits, uniq(user) AS users FROM clicks WHERE ok GROUP BY country, tumble(ts, INTERVAL 1 MINUTE) WITH (batch = '0 0 1 1 *')",
	"CREATE VIEW totals AS SELECT ok, count() AS hits, min(latency_ms) AS least, max(latency_ms) AS most, avg(price) AS mean FROM clicks GROUP BY ok, tumble(ts, INTERVAL 1 HOUR) WITH (batch = '0 0 1 1 *')",
}

// benchBody is one request: flat JSON events of about 133 bytes.
func benchBody(random *rand.Rand, now time.Time) []byte {
	var b bytes.Buffer
	countries := []string{"DE", "FR", "IT", "JP", "US", "BR", "IN", "GB"}
	for range benchRows {
		fmt.Fprintf(&b, `{"ts":"%s","user":"user-%06d","page":"/products/%03d","country":"%s","latency_ms":%d,"price":%.2f,"ok":%t}`+"\n",
			now.Add(-time.Duration(random.IntN(120_000))*time.Millisecond).UTC().Format("2006-01-02 15:04:05.000"), random.IntN(100_000), random.IntN(500),
			countries[random.IntN(8)], random.IntN(2000), random.Float64()*200, random.IntN(10) > 0)
	}
	return b.Bytes()
}

// BenchmarkEndToEnd measures, in one run with everything embedded and the load client on
// the same cores: events/s from HTTP to acknowledged, in the views and in the lake; the
// bare engine's parse-and-group of the same rows on all cores; their ratio; freshness at
// half that rate; and the peak memory of all processes.
func BenchmarkEndToEnd(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	bodies := make([][]byte, benchBodies)
	for i := range bodies {
		bodies[i] = benchBody(random, time.Now())
	}
	for b.Loop() {
		s := newServer(b, "--epoch", "5s")
		s.sql("CREATE STREAM clicks (" + benchColumns + ") WITH (event_time = 'ts', partitions = 2)")
		for _, v := range benchViews {
			s.sql(v)
		}
		start := time.Now()
		blast(b, s, bodies, benchTotal/benchRows)
		acked := time.Since(start)
		awaitViews(b, s)
		seen := time.Since(start)
		awaitLake(b, s, benchTotal)
		inLake := time.Since(start)
		// The last epoch is sealed by a tick, which is a wait and not work.
		rate := float64(benchTotal) / seen.Seconds()
		b.ReportMetric(cpuSeconds(b, s)*1e9/benchTotal, "server-cpu-ns/event")
		b.ReportMetric(float64(benchTotal)/acked.Seconds(), "acked-events/s")
		b.ReportMetric(rate, "visible-events/s")
		b.ReportMetric(float64(benchTotal)/inLake.Seconds(), "sealed-events/s")
		p50, p99 := freshness(b, s, bodies, rate/2)
		b.ReportMetric(float64(p50.Milliseconds()), "freshness-p50-ms")
		b.ReportMetric(float64(p99.Milliseconds()), "freshness-p99-ms")
		b.ReportMetric(peakMemory(b, s), "peak-MiB")
		s.kill()
		bare := bareEngine(b, bodies)
		b.ReportMetric(bare, "engine-events/s")
		b.ReportMetric(rate/bare, "ratio")
	}
}

// blast sends n requests as fast as they are acknowledged.
func blast(b *testing.B, s *server, bodies [][]byte, n int) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range benchClients {
		wg.Go(func() {
			for i := range next {
				for {
					_, status, err := s.post("clicks", "application/x-ndjson", bodies[i%len(bodies)], "")
					if err == nil {
						break
					}
					if status != http.StatusServiceUnavailable && status != http.StatusTooManyRequests {
						b.Errorf("post: %v", err)
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

func awaitViews(b *testing.B, s *server) {
	for _, v := range []string{"pages", "countries", "totals"} {
		var a struct{ Provenance struct{ Complete bool } }
		s.get("/v1/views/"+v+"?wait=60s&limit=1", &a)
		if !a.Provenance.Complete {
			b.Fatalf("view %s is not complete", v)
		}
	}
}

func awaitLake(b *testing.B, s *server, rows int64) {
	deadline := time.Now().Add(2 * time.Minute)
	for time.Now().Before(deadline) {
		var st struct {
			Streams []struct {
				LakeRows int64 `json:"lake_rows"`
			}
		}
		s.get("/v1/status", &st)
		if st.Streams[0].LakeRows >= rows {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.Fatal("the lake did not seal everything in two minutes")
}

// freshness sends at a rate, and beside it single events, each looked for in a view from
// its acknowledgement until it is there.
func freshness(b *testing.B, s *server, bodies [][]byte, rate float64) (p50, p99 time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(time.Duration(float64(time.Second) * benchRows / rate))
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if _, _, err := s.post("clicks", "application/x-ndjson", bodies[i%len(bodies)], ""); err != nil && ctx.Err() == nil {
				b.Errorf("post: %v", err)
				return
			}
		}
	})
	var took []time.Duration
	for i := range 200 {
		page := fmt.Sprintf("/probe/%d", i)
		line := fmt.Appendf(nil, `{"ts":"%s","user":"p","page":"%s","country":"DE","latency_ms":1,"price":1,"ok":true}`+"\n", time.Now().UTC().Format(time.RFC3339Nano), page)
		if _, _, err := s.post("clicks", "application/x-ndjson", line, ""); err != nil {
			b.Fatal(err)
		}
		acked := time.Now()
		for {
			var a struct{ Rows int }
			s.get("/v1/views/pages?where="+url.QueryEscape("page = '"+page+"'"), &a)
			if a.Rows == 1 {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
		took = append(took, time.Since(acked))
	}
	cancel()
	wg.Wait()
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100]
}

// processes are those of the server: itself and its children.
func processes(s *server) []int {
	var st struct{ Pids map[string]int }
	s.get("/v1/status", &st)
	return []int{s.cmd.Process.Pid, st.Pids["engine"], st.Pids["redis"]}
}

// cpuSeconds is what the server's processes have used so far.
func cpuSeconds(b *testing.B, s *server) float64 {
	ticks := 0.0
	for _, pid := range processes(s) {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		for _, f := range fields[11:13] { // utime and stime, see proc(5)
			n, err := strconv.ParseFloat(f, 64)
			if err != nil {
				b.Fatal(err)
			}
			ticks += n
		}
	}
	return ticks / 100 // USER_HZ
}

// peakMemory adds the peaks of the server and its children, in MiB.
func peakMemory(b *testing.B, s *server) float64 {
	total := 0.0
	for _, pid := range processes(s) {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
		if err != nil {
			continue // an in-process part has no process of its own
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
				if err != nil {
					b.Fatal(err)
				}
				total += kib / 1024
			}
		}
	}
	return total
}

// bareEngine lets ClickHouse alone parse and group the same rows, on all cores.
func bareEngine(b *testing.B, bodies [][]byte) float64 {
	client := enginetest.Client(b)
	file := filepath.Join(b.TempDir(), "clicks.ndjson")
	if err := os.WriteFile(file, bytes.Repeat(bytes.Join(bodies, nil), 8), 0o600); err != nil {
		b.Fatal(err)
	}
	rows := 8 * benchBodies * benchRows
	query := fmt.Sprintf(`SELECT page, toStartOfMinute(ts) AS m, count(), sum(price), sum(latency_ms) FROM file('%s', 'JSONEachRow', '%s') GROUP BY page, m`, file, benchColumns)
	best := time.Duration(1 << 62)
	for range 4 {
		start := time.Now()
		if _, err := client.QueryBatch(context.Background(), query); err != nil {
			b.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	return float64(rows) / best.Seconds()
}

// BenchmarkBareEngine is the yardstick of BenchmarkEndToEnd alone.
func BenchmarkBareEngine(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	bodies := make([][]byte, benchBodies)
	for i := range bodies {
		bodies[i] = benchBody(random, time.Now())
	}
	for b.Loop() {
		b.ReportMetric(bareEngine(b, bodies), "engine-events/s")
	}
}

// BenchmarkRebuild compares the rebuild of the demo's largest view over 3,000,000 rows,
// reported at the demo's 20,000 a second, with the bare engine's same GROUP BY over the
// same files.
func BenchmarkRebuild(b *testing.B) {
	const rows, rate = 3_000_000, 20_000
	random := rand.New(rand.NewPCG(3, 4))
	airports := make([]string, 300)
	for i := range airports {
		airports[i] = fmt.Sprintf("%c%c%c", 'A'+rune(random.IntN(26)), 'A'+rune(random.IntN(26)), 'A'+rune(random.IntN(26)))
	}
	for b.Loop() {
		s := newServer(b, "--epoch", "1s")
		s.sql(flights.SQL)
		began := time.Now().Add(-time.Hour).UTC()
		var body bytes.Buffer
		for i := range rows {
			at := began.Add(time.Duration(i) * time.Second / rate)
			fmt.Fprintf(&body, `{"reported":"%s","scheduled":"2026-01-%02d %02d:%02d:00","origin":"%s","destination":"%s","delay":%d,"distance":%d}`+"\n",
				at.Format("2006-01-02 15:04:05.000"), 1+random.IntN(28), random.IntN(24), random.IntN(60),
				airports[random.IntN(300)], airports[random.IntN(300)], random.IntN(300)-20, random.IntN(3000))
			if (i+1)%benchRows == 0 {
				if _, _, err := s.post("flights", "application/x-ndjson", body.Bytes(), ""); err != nil {
					b.Fatal(err)
				}
				body.Reset()
			}
		}
		awaitLake(b, s, rows)
		files := filepath.Join(filepath.Dir(s.log.Name()), "data", "lake", "lake", "*", "date=*", "hour=*", "*.parquet")
		client := enginetest.Client(b)
		query := fmt.Sprintf(`SELECT origin, toStartOfMinute(reported) AS m, count(), avg(delay), quantileTDigest(0.95)(delay), countIf(delay > 15), uniq(destination)
			FROM file('%s', 'Parquet', 'reported DateTime64(3), origin LowCardinality(String), destination LowCardinality(String), delay Int64') GROUP BY origin, m FORMAT Null`, files)
		var rebuilds, bares, ratios []float64
		for range 7 {
			start := time.Now()
			status, text, err := s.do(context.Background(), http.MethodPost, "/v1/views/airports/batch?rebuild=true", "", nil)
			if err != nil || status != http.StatusOK {
				b.Fatalf("rebuild: %d %v %s", status, err, text)
			}
			rebuild := time.Since(start).Seconds()
			start = time.Now()
			if err := client.Exec(context.Background(), query); err != nil {
				b.Fatal(err)
			}
			bare := time.Since(start).Seconds()
			rebuilds, bares, ratios = append(rebuilds, rebuild), append(bares, bare), append(ratios, rebuild/bare)
		}
		for _, figures := range [][]float64{rebuilds, bares, ratios} {
			slices.Sort(figures)
		}
		b.ReportMetric(rebuilds[3], "rebuild-s")
		b.ReportMetric(bares[3], "engine-s")
		b.ReportMetric(ratios[3], "ratio")
		s.stop()
	}
}
