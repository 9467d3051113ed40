package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	mrand "math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// boardInstants is how often the leaderboards are compared.
const boardInstants = 40

// board is one leaderboard, and its meaning written by hand.
type board struct {
	name, sql string
	windows   []string
	desc      bool
	first     bool // tie
	takes     func(e game) bool
	score     func(events []game) float64
	reached   func(events []game, score float64) time.Time
}

// game is one event.
type game struct {
	ID     string  `json:"id"`
	TS     string  `json:"ts"`
	User   string  `json:"user_id"`
	Points int64   `json:"points"`
	Millis float64 `json:"ms"`
	OK     bool    `json:"ok"`
	at     time.Time
}

func newest(events []game, _ float64) time.Time {
	return slices.MaxFunc(events, func(a, b game) int { return a.at.Compare(b.at) }).at
}

// earliest returns when a score was first reached by an event that has it.
func earliest(has func(game) float64) func([]game, float64) time.Time {
	return func(events []game, score float64) time.Time {
		var at time.Time
		for _, e := range events {
			if has(e) == score && (at.IsZero() || e.at.Before(at)) {
				at = e.at
			}
		}
		return at
	}
}

func points(e game) float64 { return float64(e.Points) }

var boards = []board{
	{
		name: "sums", sql: "SELECT user_id, sum(points) AS score FROM games GROUP BY user_id WITH (windows = 'all, day, week'",
		windows: []string{"all", "day", "week"}, desc: true, takes: func(game) bool { return true },
		score: func(events []game) (n float64) {
			for _, e := range events {
				n += points(e)
			}
			return n
		},
	},
	{
		name: "peaks", sql: "SELECT user_id, max(points) AS score FROM games GROUP BY user_id WITH (tie = 'first', windows = 'day,all'",
		windows: []string{"all", "day"}, desc: true, first: true, takes: func(game) bool { return true },
		score: func(events []game) float64 {
			return points(slices.MaxFunc(events, func(a, b game) int { return cmp.Compare(a.Points, b.Points) }))
		},
		reached: earliest(points),
	},
	{
		name: "fastest", sql: "SELECT user_id, min(ms) AS score FROM games GROUP BY user_id WITH (order = 'asc', tie = 'first', windows = 'all,month'",
		windows: []string{"all", "month"}, first: true, takes: func(game) bool { return true },
		score: func(events []game) float64 {
			return slices.MinFunc(events, func(a, b game) int { return cmp.Compare(a.Millis, b.Millis) }).Millis
		},
		reached: earliest(func(e game) float64 { return e.Millis }),
	},
	{
		// Windows of more than two days ago are not kept: they come from the merged view.
		name: "played", sql: "SELECT user_id, count() AS score FROM games WHERE ok GROUP BY user_id WITH (tie = 'first', windows = 'hour,all', keep = '2d'",
		windows: []string{"all", "hour"}, desc: true, first: true, takes: func(e game) bool { return e.OK },
		score:   func(events []game) float64 { return float64(len(events)) },
		reached: newest,
	},
	{
		name: "quarters", sql: "SELECT user_id, sum(points) / count() AS score FROM games GROUP BY user_id, tumble(ts, INTERVAL 15 MINUTE) WITH (keep = '5d'",
		windows: []string{"15minute"}, desc: true, takes: func(game) bool { return true },
		score: func(events []game) (n float64) {
			for _, e := range events {
				n += points(e)
			}
			return n / float64(len(events))
		},
	},
}

// windowOf returns the bounds of the window that holds a time; zeros for all time.
func windowOf(name string, at time.Time) (from, to time.Time) {
	day := at.Truncate(24 * time.Hour)
	switch name {
	case "hour":
		return at.Truncate(time.Hour), at.Truncate(time.Hour).Add(time.Hour)
	case "15minute":
		return at.Truncate(15 * time.Minute), at.Truncate(15 * time.Minute).Add(15 * time.Minute)
	case "day":
		return day, day.AddDate(0, 0, 1)
	case "week":
		monday := day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
		return monday, monday.AddDate(0, 0, 7)
	case "month":
		first := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
		return first, first.AddDate(0, 1, 0)
	}
	return time.Time{}, time.Time{}
}

// standing is one member's place.
type standing struct {
	rank  int64
	user  string
	score float64
	at    time.Time
}

// rank is the oracle: it ranks the events of one window.
func (b *board) rank(events []game, from, to time.Time) []standing {
	of := map[string][]game{}
	for _, e := range events {
		if b.takes(e) && (from.IsZero() || !e.at.Before(from) && e.at.Before(to)) {
			of[e.User] = append(of[e.User], e)
		}
	}
	list := make([]standing, 0, len(of))
	for user, events := range of {
		s := standing{user: user, score: b.score(events)}
		if b.first {
			s.at = b.reached(events, s.score)
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(x, y standing) int {
		d := cmp.Compare(x.score, y.score)
		if b.desc {
			d = -d
		}
		return cmp.Or(d, x.at.Compare(y.at), strings.Compare(x.user, y.user))
	})
	for i := range list {
		list[i].rank = int64(i) + 1
		if i > 0 && !b.first && list[i].score == list[i-1].score {
			list[i].rank = list[i-1].rank
		}
	}
	return list
}

// answerRow is a row of an answer.
type answerRow struct {
	Rank   *int64
	Member string
	Score  *float64
	Among  *int64
}

func (r answerRow) String() string {
	text := "-"
	if r.Rank != nil && r.Score != nil {
		text = fmt.Sprintf("%d %g", *r.Rank, *r.Score)
	}
	return r.Member + " " + text
}

func (s standing) String() string { return fmt.Sprintf("%s %d %g", s.user, s.rank, s.score) }

// boardRun is one run of TestLeaderboards.
type boardRun struct {
	chaos
	events []game
	users  int
	asked  int
	// watched counts the answers that were asked for beside all else; of the watcher alone
	// until it ends.
	watched int
}

// TestLeaderboards drives the built binary at random (batch sizes, partitions, duplicates,
// late events, batch runs, kill -9 of every process, FLUSHALL) and compares, at random
// instants, whole listings, ranks, neighbours and lists of members of several leaderboards
// with an oracle, and the merged view with both. MILLRACE_SEED repeats a run's choices.
func TestLeaderboards(t *testing.T) {
	seed := seedOf(t)
	random := mrand.New(mrand.NewPCG(seed, 7))
	r := &boardRun{users: 5 + random.IntN(150), chaos: chaos{
		t: t, random: random, kills: map[string]int{},
		server: newServer(t, "--epoch", "1s", "--flush", "20ms", "--grace", "1s"),
	}}
	r.next = r.send
	r.server.sql(fmt.Sprintf(`CREATE STREAM games (id String, ts DateTime64(3), user_id String, points Int64, ms Float64, ok Bool)
		WITH (event_time = 'ts', partition_by = 'user_id', partitions = %d, dedupe_key = 'id', dedupe_window = '1h')`, 1+random.IntN(5)))
	for i, b := range boards {
		if i == len(boards)-1 {
			r.send()
		}
		r.server.sql("CREATE LEADERBOARD " + b.name + " AS " + b.sql + ", batch = '0 0 1 1 *')")
	}
	watching, stop := context.WithCancel(context.Background())
	var watcher sync.WaitGroup
	watcher.Go(func() { r.watch(watching) })
	for r.instants < boardInstants && !t.Failed() {
		r.step()
		r.compare()
	}
	stop()
	watcher.Wait()
	r.background.Wait()
	r.compareOdd()
	fmt.Printf("leaderboards: seed %d: %d instants, %d answers and %d beside all else, %d rows compared; %d kills survived (appliance %d, engine %d, redis %d), %d FLUSHALLs; %d batch runs; %d events of %d members, %d repeated, %d late; %d differences\n",
		seed, r.instants, r.asked, r.watched, r.groups, r.kills["appliance"]+r.kills["engine"]+r.kills["redis"], r.kills["appliance"], r.kills["engine"], r.kills["redis"],
		r.flushes, r.batches, len(r.events), r.users, r.repeated, r.late, r.differences)
}

// watch asks for a whole leaderboard again and again, beside all else, and sees to it that
// one position is one leaderboard, whatever was lost and built again: what stands in Redis
// follows from the log up to there alone.
func (r *boardRun) watch(ctx context.Context) {
	seen := map[string]string{}
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for ctx.Err() == nil {
		<-pace.C
		status, body, err := r.server.do(ctx, http.MethodGet, "/v1/leaderboards/sums/top?n=1000", "", nil)
		if err != nil || status != http.StatusOK {
			continue // killed, or being built
		}
		var a struct {
			Rows       json.RawMessage
			Provenance struct{ Partitions []struct{ Position uint64 } }
		}
		if err := json.Unmarshal(body, &a); err != nil {
			r.t.Errorf("watch: %v in %s", err, body)
			return
		}
		at := fmt.Sprint(a.Provenance.Partitions)
		if before, ok := seen[at]; ok && before != string(a.Rows) {
			r.t.Errorf("instant: at the positions %s there was once %s and then %s", at, before, a.Rows)
			return
		}
		seen[at] = string(a.Rows)
		r.watched++
	}
}

func (r *boardRun) step() {
	switch n := r.random.IntN(100); {
	case n < 36:
		r.send()
	case n < 54:
		r.runBatch(boards[r.random.IntN(len(boards))].name)
	case n < 66:
		r.during(func() { r.killChild("engine") })
	case n < 78:
		r.during(func() { r.killChild("redis") })
	case n < 88:
		r.during(r.flushAll)
	case n < 96:
		r.during(r.killAppliance)
	default:
		r.flushAll() // in silence: nothing but the looking tells
	}
}

// send sends one request of new events, with some that were sent before.
func (r *boardRun) send() {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	n := 1 + r.random.IntN(300)
	again := 0
	for range n {
		if len(r.events) > 0 && r.random.IntN(12) == 0 {
			_ = encoder.Encode(r.events[r.random.IntN(len(r.events))]) // a Buffer takes it
			again++
			continue
		}
		e := r.event()
		_ = encoder.Encode(e)
		r.events = append(r.events, e)
	}
	r.repeated += again
	s := sent{stream: "games", key: rand.Text(), body: body.Bytes()}
	r.deliver(s, n, 0)
	if r.random.IntN(4) == 0 {
		r.deliver(s, n, -1)
		r.repeated += n
	}
}

// event makes an event of some minutes, days or a year ago, with few different values, so
// that ties are many.
func (r *boardRun) event() game {
	back := time.Duration(r.random.IntN(1200)) * time.Second
	switch r.random.IntN(6) {
	case 0:
		back += time.Duration(r.random.IntN(9*24)) * time.Hour
	case 1:
		back += 365 * 24 * time.Hour
		r.late++
	}
	at := time.Now().UTC().Add(-back).Truncate(time.Minute)
	return game{
		ID: rand.Text(), TS: at.Format("2006-01-02 15:04:05.000"), at: at, User: fmt.Sprintf("u/%d ü", r.random.IntN(1+r.random.IntN(r.users))),
		Points: int64(r.random.IntN(12)) - 3, Millis: float64(r.random.IntN(40)) / 4, OK: r.random.IntN(3) > 0,
	}
}

// compare compares every leaderboard: all time, and some of its windows.
func (r *boardRun) compare() {
	r.instants++
	for i := range boards {
		b := &boards[i]
		for _, w := range b.windows {
			at := time.Now().UTC()
			if n := len(r.events); n > 0 {
				at = r.events[r.random.IntN(n)].at
			}
			r.compareWindow(b, w, at)
		}
	}
}

func (r *boardRun) compareWindow(b *board, window string, at time.Time) {
	from, to := windowOf(window, at)
	want := b.rank(r.events, from, to)
	scope := "window=" + window + "&wait=60s"
	if window != "all" {
		scope += "&at=" + url.QueryEscape(at.Format(time.RFC3339))
	}
	r.same(b, scope+" top", r.listing(b, scope, int64(len(want))), want)
	r.compareView(b, from, to, want)
	if len(want) == 0 {
		return
	}
	for range 2 {
		i := r.random.IntN(len(want))
		path := url.PathEscape(want[i].user) + "?" + scope
		var one struct {
			answerRow
			Members    int64
			Percentile float64
		}
		r.ask(b, "rank/"+path, &one)
		r.same(b, "rank/"+path, []answerRow{one.answerRow}, want[i:i+1])
		if p := 100 * float64(int64(len(want))-want[i].rank+1) / float64(len(want)); one.Percentile != p || one.Members != int64(len(want)) {
			r.differ("%s: rank/%s: percentile %v of %d, not %v of %d", b.name, path, one.Percentile, one.Members, p, len(want))
		}
		n := 1 + r.random.IntN(6)
		var around struct{ Rows []answerRow }
		path = fmt.Sprintf("around/%s&n=%d", path, n)
		r.ask(b, path, &around)
		r.same(b, path, around.Rows, want[max(0, i-n):min(len(want), i+n+1)])
	}
	r.compareMembers(b, scope, want)
}

// compareOdd asks for what is not there, and drops a leaderboard.
func (r *boardRun) compareOdd() {
	for path, status := range map[string]int{
		"sums/rank/nobody":                       404,
		"sums/around/nobody?window=day":          404,
		"sums/top?window=month":                  400,
		"sums/top?window=day&at=2290-01-01":      400,
		"sums/top?after=!":                       400,
		"sums/rank/nobody?window=day&at=never":   400,
		"nothing/top":                            404,
		"quarters/rank/nobody?at=1999-12-31":     404,
		"sums/rank/nobody?window=day&at=1950-01": 400,
	} {
		r.server.problem(r.t, http.MethodGet, "/v1/leaderboards/"+path, "", nil, status)
	}
	r.server.problem(r.t, http.MethodPost, "/v1/sql", "text/plain", []byte("CREATE LEADERBOARD no AS SELECT points, count() FROM games GROUP BY points, ok"), 400)
	for _, empty := range []string{"sums/top?window=day&at=1950-01-01", "played/top?window=hour&at=1950-01-01"} {
		var got struct {
			Members int64
			Rows    []answerRow
		}
		r.server.get("/v1/leaderboards/"+empty, &got)
		if got.Members != 0 || got.Rows == nil || len(got.Rows) != 0 {
			r.differ("%s: %+v", empty, got)
		}
	}
	r.server.sql("DROP LEADERBOARD sums")
	r.server.problem(r.t, http.MethodGet, "/v1/leaderboards/sums/top", "", nil, 404)
	var list struct{ Leaderboards []struct{ Name string } }
	r.server.get("/v1/leaderboards", &list)
	if len(list.Leaderboards) != len(boards)-1 {
		r.differ("leaderboards after one was dropped: %v", list)
	}
	r.server.sql("CREATE LEADERBOARD sums AS " + boards[0].sql + ")")
	r.compare()
}

// compareMembers asks for some members at once, and one that is not there.
func (r *boardRun) compareMembers(b *board, scope string, want []standing) {
	var some []standing
	query := url.Values{"m": {"nobody"}}
	for _, s := range want {
		if r.random.IntN(4) == 0 {
			some = append(some, s)
			query.Add("m", s.user)
		}
	}
	var got struct{ Rows []answerRow }
	r.ask(b, "members?"+query.Encode()+"&"+scope, &got)
	if n := len(got.Rows); n != len(some)+1 || got.Rows[n-1].Member != "nobody" || got.Rows[n-1].Rank != nil {
		r.differ("%s: members: %v for %v and nobody", b.name, got.Rows, some)
		return
	}
	r.same(b, "members "+scope, got.Rows[:len(some)], some)
	for i, row := range got.Rows[:len(some)] {
		among := int64(1)
		for j := range some[:i] {
			if some[j].rank < some[i].rank {
				among = int64(j) + 2
			}
		}
		if row.Among == nil || *row.Among != among {
			r.differ("%s: members: %v is not number %d among them", b.name, row, among)
		}
	}
}

// listing reads all pages of a window.
func (r *boardRun) listing(b *board, scope string, members int64) (rows []answerRow) {
	n := 1 + r.random.IntN(60)
	after := ""
	for {
		var page struct {
			Members    int64
			Rows       []answerRow
			Next       string
			Provenance struct{ Complete bool }
		}
		path := fmt.Sprintf("top?n=%d&after=%s&%s", n, after, scope)
		r.ask(b, path, &page)
		if !page.Provenance.Complete || page.Members != members {
			r.differ("%s: %s: complete is %v, %d members, not %d", b.name, path, page.Provenance.Complete, page.Members, members)
		}
		rows = append(rows, page.Rows...)
		if after = page.Next; after == "" || len(page.Rows) == 0 {
			return rows
		}
	}
}

// compareView compares the merged view.
func (r *boardRun) compareView(b *board, from, to time.Time, want []standing) {
	path := fmt.Sprintf("/v1/views/%s?wait=60s&by=user_id", b.name)
	if !from.IsZero() {
		path += fmt.Sprintf("&from=%d&to=%d", from.Unix(), to.Unix())
	}
	var got struct {
		Data []struct {
			User  string `json:"user_id"`
			Score float64
		}
	}
	r.server.get(path, &got)
	scores := map[string]float64{}
	for _, row := range got.Data {
		scores[row.User] = row.Score
	}
	for _, s := range want {
		if score, ok := scores[s.user]; !ok || score != s.score {
			r.differ("%s: the merged view has %v for %s, not %v", path, score, s.user, s.score)
		}
	}
	if len(scores) != len(want) {
		r.differ("%s: the merged view has %d members, not %d", path, len(scores), len(want))
	}
}

func (r *boardRun) ask(b *board, path string, into any) {
	r.asked++
	r.server.get("/v1/leaderboards/"+b.name+"/"+path, into)
}

func (r *boardRun) same(b *board, what string, got []answerRow, want []standing) {
	r.groups += len(want)
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			r.differ("%s: %s: %v is missing", b.name, what, want[i])
		case i >= len(want):
			r.differ("%s: %s: %v should not be there", b.name, what, got[i])
		case got[i].String() != want[i].String():
			r.differ("%s: %s: place %d is %v, not %v", b.name, what, i+1, got[i], want[i])
		}
	}
}

func (r *boardRun) differ(format string, args ...any) {
	r.differences++
	if r.differences <= 20 {
		r.t.Errorf("instant %d: "+format, append([]any{r.instants}, args...)...)
	}
}
