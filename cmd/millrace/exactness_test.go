package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// instants is how often the merged answers are compared with their recomputation.
const instants = 210

// TestExactness drives the built binary at random (batch sizes, partitions, duplicates,
// late and unordered rows, batch runs, kill -9 of every process, FLUSHALL) and compares,
// at random instants, the merged answer of every view with a recomputation by a ClickHouse
// engine over exactly the acknowledged events. MILLRACE_SEED repeats a run's choices.
func TestExactness(t *testing.T) {
	seed := seedOf(t)
	random := mrand.New(mrand.NewPCG(seed, 1))
	c := &chaos{
		t: t, random: random, oracle: newOracle(t), todo: inputs(t, random),
		server: newServer(t, "--epoch", "1s", "--flush", "20ms", "--grace", "1s"),
	}
	c.next = c.send
	c.declare()
	for _, lines := range c.todo {
		random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	}
	for c.instants < instants && !t.Failed() {
		c.step()
		c.compare()
	}
	c.background.Wait()
	c.compareHistory()
	events := 0
	for _, n := range c.oracle.rows {
		events += n
	}
	fmt.Printf("exactness: seed %d: %d instants, %d comparisons, %d groups; %d kills survived (appliance %d, engine %d, redis %d), %d FLUSHALLs; %d batch runs; %d events acknowledged, %d repeated, %d late, %d refused; %d differences\n",
		seed, c.instants, c.comparisons, c.groups, c.kills["appliance"]+c.kills["engine"]+c.kills["redis"], c.kills["appliance"], c.kills["engine"], c.kills["redis"],
		c.flushes, c.batches, events, c.repeated, c.late, c.refused, c.differences)
	if c.instants < 200 && !t.Failed() {
		t.Errorf("only %d instants were compared", c.instants)
	}
}

// seedOf is what a run's choices follow from.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("MILLRACE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	return seed
}

// chaos is one run.
type chaos struct {
	t      *testing.T
	random *mrand.Rand
	next   func() // sends a request
	server *server
	oracle *oracle
	todo   map[string][][]byte // rows not sent yet

	background sync.WaitGroup // batch runs under way
	recent     []sent         // acknowledged requests, to be repeated
	orders     [][]byte       // acknowledged orders, to be sent again as duplicate events

	instants, comparisons, groups, differences int
	flushes, batches, repeated, late, refused  int
	kills                                      map[string]int
}

type sent struct {
	stream, key string
	body        []byte
}

// declare creates the streams, each with its own number of partitions, and the views.
func (c *chaos) declare() {
	c.kills = map[string]int{}
	with := map[string]string{
		"wiki":    "event_time = 'time', partition_by = 'user'",
		"flights": "event_time = 'date'",
		"orders":  "event_time = 'at', partition_by = 'id', dedupe_key = 'id', dedupe_window = '1h'",
	}
	for name, columns := range streams {
		c.server.sql(fmt.Sprintf("CREATE STREAM %s (%s) WITH (%s, partitions = %d)", name, columns, with[name], 1+c.random.IntN(8)))
	}
	for _, k := range checks {
		c.server.sql(fmt.Sprintf("CREATE VIEW %s AS %s WITH (batch = '0 0 1 1 *')", k.view, k.ddl))
	}
}

// step does one thing at random.
func (c *chaos) step() {
	switch n := c.random.IntN(100); {
	case n < 62:
		c.send()
	case n < 80:
		c.batch()
	case n < 84:
		c.during(func() { c.killChild("engine") })
	case n < 88:
		c.during(func() { c.killChild("redis") })
	case n < 92:
		c.during(c.flushAll)
	case n < 96:
		c.during(c.killAppliance)
	default:
		// Let an epoch or two go by, so that some seal and some do not.
		time.Sleep(time.Duration(c.random.IntN(1500)) * time.Millisecond)
	}
}

// during does something in the midst of requests.
func (c *chaos) during(something func()) {
	delay := time.Duration(c.random.IntN(30)) * time.Millisecond
	var wg sync.WaitGroup
	wg.Go(func() { time.Sleep(delay); something() })
	c.next()
	wg.Wait()
	c.next()
}

// send sends one request, with some rows changed to be late, some bad lines among them,
// and now and then an earlier request or event again. It returns once acknowledged.
func (c *chaos) send() {
	if len(c.recent) > 0 && c.random.IntN(6) == 0 {
		r := c.recent[c.random.IntN(len(c.recent))]
		c.deliver(r, bytes.Count(r.body, []byte("\n")), -1)
		c.repeated++
	}
	names := []string{"wiki", "flights", "orders"}
	name := names[c.random.IntN(len(names))]
	todo := c.todo[name]
	n := min(1+c.random.IntN(400), len(todo))
	if c.random.IntN(4) == 0 {
		n = min(n, 3)
	}
	if n == 0 {
		return
	}
	c.todo[name] = todo[n:]
	var body bytes.Buffer
	var good [][]byte
	bad := 0
	for _, line := range todo[:n] {
		if c.random.IntN(10) == 0 {
			line = c.makeLate(line)
		}
		body.Write(line)
		body.WriteByte('\n')
		good = append(good, line)
		if c.random.IntN(200) == 0 {
			body.WriteString(pick(c.random, "{\"broken\":\n", "{\"delay\":\"many\"}\n", "[1,2]\n", "\x00\xff\n"))
			bad++
		}
	}
	again := 0
	if name == "orders" {
		// The same event in another request: the stream's dedupe_key drops it.
		for ; len(c.orders) > 0 && again < c.random.IntN(5); again++ {
			body.Write(c.orders[c.random.IntN(len(c.orders))])
			body.WriteByte('\n')
		}
		c.repeated += again
	}
	r := sent{stream: name, key: rand.Text(), body: body.Bytes()}
	c.deliver(r, n+again, bad)
	c.recent = append(c.recent, r)
	if len(c.recent) > 20 {
		c.recent = c.recent[1:]
	}
	if name == "orders" {
		c.orders = append(c.orders, good...)
	}
	c.refused += bad
	c.oracle.add(c.t, name, good)
}

// makeLate moves a row a year back.
func (c *chaos) makeLate(line []byte) []byte {
	for _, year := range [][2]string{{`"2015-`, `"2014-`}, {`"2001/`, `"2000/`}, {`"at":"20`, `"at":"19`}} {
		if bytes.Contains(line, []byte(year[0])) {
			c.late++
			return bytes.Replace(line, []byte(year[0]), []byte(year[1]), 1)
		}
	}
	return line
}

// deliver sends a request again and again, under its key, until it is acknowledged.
func (c *chaos) deliver(r sent, accepted, rejected int) {
	deadline := time.Now().Add(2 * time.Minute)
	for {
		got, status, err := c.server.post(r.stream, "application/x-ndjson", r.body, r.key)
		if err == nil {
			if rejected >= 0 && (got.Accepted != accepted || got.Rejected != rejected) {
				c.t.Errorf("%s: accepted %d and refused %d rows, want %d and %d: %v", r.stream, got.Accepted, got.Rejected, accepted, rejected, got.Errors)
			}
			return
		}
		if status >= 400 && status < 500 && status != http.StatusTooManyRequests {
			c.t.Fatalf("post to %s: %v", r.stream, err)
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("post to %s was not acknowledged in two minutes: %v", r.stream, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// batch starts a view's batch job, or a rebuild, beside what else happens.
func (c *chaos) batch() {
	c.runBatch(checks[c.random.IntN(len(checks))].view)
}

func (c *chaos) runBatch(view string) {
	rebuild := c.random.IntN(6) == 0
	c.batches++
	c.background.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		// A run that a kill ends has no effect: that is the point.
		_, _, _ = c.server.do(ctx, http.MethodPost, fmt.Sprintf("/v1/views/%s/batch?rebuild=%t", view, rebuild), "", nil)
	})
	if c.random.IntN(2) == 0 {
		c.background.Wait()
	}
}

// children asks for the state of the embedded processes.
func (c *chaos) children() (s struct {
	Pids  map[string]int
	Redis string
}) {
	c.server.get("/v1/status", &s)
	return s
}

func (c *chaos) killChild(name string) {
	if pid := c.children().Pids[name]; pid > 1 {
		if err := syscall.Kill(pid, syscall.SIGKILL); err == nil {
			c.kills[name]++
		}
	}
}

func (c *chaos) killAppliance() {
	c.server.kill()
	c.kills["appliance"]++
	c.server.start()
}

func (c *chaos) flushAll() {
	o, err := redis.ParseURL(c.children().Redis)
	if err != nil {
		c.t.Errorf("redis of the appliance: %v", err)
		return
	}
	client := redis.NewClient(o)
	defer client.Close()
	if err := client.FlushAll(context.Background()).Err(); err == nil { // it may be down from a kill
		c.flushes++
	}
}

// compare compares every view with its recomputation, at this instant.
func (c *chaos) compare() {
	c.instants++
	for _, k := range checks {
		got, provenance := ask(c.t, c.server, k)
		want := c.oracle.recompute(c.t, k)
		c.comparisons++
		c.groups += len(want)
		if diffs := differences(got, want); len(diffs) > 0 {
			c.differences += len(diffs)
			c.t.Errorf("instant %d: view %s differs in %d places, at %s:\n%s", c.instants, k.view, len(diffs), provenance, joinFirst(diffs, 8))
		}
	}
}

// compareHistory checks that SQL over the streams counts every acknowledged event.
func (c *chaos) compareHistory() {
	for name, n := range c.oracle.rows {
		got := tableOf(c.t, c.server.sql("SELECT 'all' AS k, count() AS n FROM "+name), []string{"k"})
		if counted := fmt.Sprint(got["all|"]["n"]); counted != strconv.Itoa(n) {
			c.t.Errorf("SELECT count() FROM %s: %s, want %d", name, counted, n)
		}
	}
}

func joinFirst(lines []string, n int) string {
	var b bytes.Buffer
	for i, l := range lines {
		if i == n {
			fmt.Fprintf(&b, "  … and %d more\n", len(lines)-n)
			break
		}
		fmt.Fprintf(&b, "  %s\n", l)
	}
	return b.String()
}
