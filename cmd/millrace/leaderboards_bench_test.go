package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"
)

// The benchmark's leaderboard: a million members, each in the windows of all time and of
// the day, asked at 2,000 requests a second for each kind of question.
const (
	boardMembers  = 1_000_000
	boardRate     = 2_000
	boardRequests = 10 * boardRate
	boardWorkers  = 256 // requests under way at once, far more than there ever are
	// loadGCPercent makes collections of the load client rare: its heap is small.
	loadGCPercent = 1000
)

// BenchmarkLeaderboards measures, with everything embedded and the load client on the same
// cores, the time of rank, around and top 10 over HTTP on loopback, each asked in an open
// loop: a request's time counts from the moment that it was due, so that a stall is felt by
// all requests behind it. It does so in peace, and while 2,000 events a second come in.
func BenchmarkLeaderboards(b *testing.B) {
	random := rand.New(rand.NewPCG(5, 6))
	for b.Loop() {
		s := newServer(b, "--epoch", "5s")
		s.sql("CREATE STREAM games (ts DateTime64(3), user_id String, points Int64) WITH (event_time = 'ts', partition_by = 'user_id', partitions = 2)")
		s.sql("CREATE LEADERBOARD best AS SELECT user_id, sum(points) AS score FROM games GROUP BY user_id WITH (windows = 'all,day', batch = '0 0 1 1 *')")
		began := time.Now()
		for from := 0; from < boardMembers; from += benchRows {
			postGames(b, s, random, from, benchRows)
		}
		var top struct {
			Members    int
			Provenance struct{ Complete bool }
		}
		s.get("/v1/leaderboards/best/top?wait=60s", &top)
		if top.Members != boardMembers || !top.Provenance.Complete {
			b.Fatalf("%d members of %d, complete: %v", top.Members, boardMembers, top.Provenance.Complete)
		}
		b.ReportMetric(boardMembers/time.Since(began).Seconds(), "new-members/s")
		awaitLake(b, s, boardMembers) // what the events left to do is done
		kinds := []struct {
			name string
			path func() string
		}{
			// What client, network and machine take by themselves: the handler does nothing.
			{"healthz", func() string { return "/healthz" }},
			{"rank", func() string { return fmt.Sprintf("/v1/leaderboards/best/rank/user-%d", random.IntN(boardMembers)) }},
			{"around", func() string { return fmt.Sprintf("/v1/leaderboards/best/around/user-%d", random.IntN(boardMembers)) }},
			{"top10", func() string { return "/v1/leaderboards/best/top?n=10" }},
		}
		for _, k := range kinds {
			measureBoard(b, s, k.name, k.path)
		}
		done := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			writes := rand.New(rand.NewPCG(7, 8))
			ticker := time.NewTicker(100 * time.Millisecond)
			defer ticker.Stop()
			for {
				select {
				case <-done:
					return
				case <-ticker.C:
					postGames(b, s, writes, writes.IntN(boardMembers-200), 200)
				}
			}
		})
		for _, k := range kinds {
			measureBoard(b, s, "busy-"+k.name, k.path)
		}
		close(done)
		wg.Wait()
		b.ReportMetric(peakMemory(b, s), "peak-MiB")
		s.stop()
	}
}

// postGames sends one event of each of n members.
func postGames(b *testing.B, s *server, random *rand.Rand, from, n int) {
	var body bytes.Buffer
	now := time.Now().UTC().Format("2006-01-02 15:04:05.000")
	for i := range n {
		fmt.Fprintf(&body, `{"ts":"%s","user_id":"user-%d","points":%d}`+"\n", now, from+i, random.IntN(100_000))
	}
	if _, _, err := s.post("games", "application/x-ndjson", body.Bytes(), ""); err != nil {
		b.Errorf("post: %v", err)
	}
}

// measureBoard asks in an open loop and reports the percentiles of the times.
func measureBoard(b *testing.B, s *server, name string, path func() string) {
	// The load client's own collections, on cores that it shares with the server, would be
	// measured as the server's.
	defer debug.SetGCPercent(debug.SetGCPercent(loadGCPercent))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: boardWorkers}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	type request struct {
		url string
		due time.Time
	}
	queue := make(chan request, boardRequests)
	took := make([][]time.Duration, boardWorkers)
	var wg sync.WaitGroup
	for w := range boardWorkers {
		wg.Go(func() {
			for q := range queue {
				reply, err := client.Get(q.url)
				if err != nil {
					b.Errorf("%s: %v", name, err)
					return
				}
				_, err = io.Copy(io.Discard, reply.Body)
				_ = reply.Body.Close()
				if err != nil || reply.StatusCode != http.StatusOK {
					b.Errorf("%s: %s %v", q.url, reply.Status, err)
					return
				}
				took[w] = append(took[w], time.Since(q.due))
			}
		})
	}
	start := time.Now()
	for i := range boardRequests {
		due := start.Add(time.Duration(i) * time.Second / boardRate)
		time.Sleep(time.Until(due))
		queue <- request{s.url + path(), due}
	}
	close(queue)
	wg.Wait()
	all := slices.Concat(took...)
	slices.Sort(all)
	if len(all) == 0 {
		b.Fatalf("%s: no answers", name)
	}
	millis := func(share float64) float64 { return all[int(share*float64(len(all)-1))].Seconds() * 1000 }
	b.ReportMetric(millis(0.50), name+"-p50-ms")
	b.ReportMetric(millis(0.99), name+"-p99-ms")
	fmt.Printf("leaderboard of %d members, %s at %d/s: %d answers, p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms\n",
		boardMembers, name, boardRate, len(all), millis(0.50), millis(0.99), millis(0.999))
}
