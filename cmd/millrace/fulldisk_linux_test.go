package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// TestFullDisk fills the disk of everything that the appliance keeps: ingest is refused
// with 503 and Retry-After, what was acknowledged stays, and it goes on by itself once
// there is room.
func TestFullDisk(t *testing.T) {
	const diskBytes = 1 << 30 // taken as it is used, from memory
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(diskBytes)); err != nil {
		t.Skipf("a small disk cannot be mounted (%v): run as root on Linux to enable this test", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	resize := func(bytes uint64) {
		t.Helper()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size="+strconv.FormatUint(bytes, 10)); err != nil {
			t.Fatal(err)
		}
	}
	used := func() uint64 {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(dir, &fs); err != nil {
			t.Fatal(err)
		}
		return (fs.Blocks - fs.Bfree) * uint64(fs.Bsize)
	}
	s := newServer(t, "--epoch", "1s", "--flush", "20ms", "--data", filepath.Join(dir, "data"))
	s.sql("CREATE STREAM full (ts DateTime64(3), id UInt64) WITH (event_time = 'ts', partitions = 2)")
	s.sql("CREATE VIEW full_all AS SELECT count() AS n, sum(id) AS ids, uniq(id) AS distinct FROM full")
	next, sum := uint64(0), uint64(0)
	send := func() (answered, error) {
		var body []byte
		ids := uint64(0)
		for i := range uint64(1000) {
			body = fmt.Appendf(body, "{\"ts\":\"2024-01-01\",\"id\":%d}\n", next+i)
			ids += next + i
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		// A retry comes under the same key, as the rows are the same.
		header := []string{"Idempotency-Key", "rows from " + strconv.FormatUint(next, 10)}
		status, _, err := s.do(ctx, http.MethodPost, "/v1/streams/full/events", "application/x-ndjson", body, header...)
		if err == nil && status == http.StatusOK {
			next += 1000
			sum += ids
			return answered{Status: status}, nil
		}
		return s.refusal(ctx, http.MethodPost, "/v1/streams/full/events", "application/x-ndjson", body, header...)
	}
	for range 5 {
		if p, err := send(); err != nil || p.Status != http.StatusOK {
			t.Fatalf("with room: %+v, %v", p, err)
		}
	}
	// First little room, less than the log leaves alone; then none at all, for the lake,
	// Redis and the engine too.
	for _, room := range []uint64{64 << 20, 0} {
		deadline := time.Now().Add(20 * time.Second)
		for resize(used() + room); ; {
			p, err := send()
			if err != nil {
				t.Fatalf("with %d bytes of room: %v", room, err)
			}
			if p.Status == http.StatusServiceUnavailable && p.retryAfter != "" {
				break
			}
			if p.Status != http.StatusOK || time.Now().After(deadline) {
				t.Fatalf("with %d bytes of room: %+v, Retry-After %q", room, p, p.retryAfter)
			}
		}
	}
	// A row that must become a dead letter is not acknowledged either.
	p := s.problem(t, http.MethodPost, "/v1/streams/full/events", "application/x-ndjson", []byte("{\n"), http.StatusServiceUnavailable)
	if p.retryAfter == "" {
		t.Errorf("dead letter on a full disk: no Retry-After: %+v", p)
	}
	time.Sleep(2 * time.Second) // epochs end while nothing can be written
	resize(diskBytes)
	eventually(t, "ingest goes on", func() bool { p, err := send(); return err == nil && p.Status == http.StatusOK })
	s.untilSealed(t, "full", int64(next))
	want := table{"": {"n": next, "ids": sum, "distinct": next}}
	compare := func(when string) {
		t.Helper()
		got, _ := ask(t, s, check{view: "full_all"})
		if row := got[""]; fmt.Sprint(row["n"]) != fmt.Sprint(next) || fmt.Sprint(row["ids"]) != fmt.Sprint(sum) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
		if n := tableOf(t, s.sql("SELECT 'all' AS k, count() AS n FROM full"), []string{"k"})["all|"]["n"]; fmt.Sprint(n) != fmt.Sprint(next) {
			t.Errorf("%s: %v events in the history, want %d", when, n, next)
		}
	}
	compare("after the disk was full")
	s.runBatch(t, "full_all")
	compare("after a batch run")
	s.kill()
	s.start()
	compare("after kill -9")
}
