package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/sql"
)

const (
	clicks = "CREATE STREAM clicks (ts DateTime64(3), page String, price Float64) WITH (event_time = 'ts', partitions = 2)"
	hits   = "CREATE VIEW page_hits AS SELECT page, count() AS hits FROM clicks WHERE price >= 1.5 AND page != '<>' GROUP BY page, tumble(ts, INTERVAL 1 MINUTE) WITH (batch = '*/15 * * * *')"
)

// storage keeps one object in memory. With fail it refuses to write; with ambiguous it
// writes and says that it did not.
type storage struct {
	mu              sync.Mutex
	data            []byte
	fail, ambiguous bool
}

var errFull = errors.New("disk is full")

func (s *storage) Put(_ context.Context, _ string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail {
		return errFull
	}
	s.data = append([]byte(nil), data...)
	if s.ambiguous {
		return errFull
	}
	return nil
}

func (s *storage) Get(context.Context, string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data, s.data != nil, nil
}

func open(t testing.TB, s catalog.Storage) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parse[T sql.Statement](t testing.TB, text string) T {
	t.Helper()
	statements, err := sql.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return statements[0].(T)
}

func createStream(t testing.TB, c *catalog.Catalog, text string) (*catalog.Stream, error) {
	t.Helper()
	return c.CreateStream(t.Context(), parse[*sql.CreateStream](t, text))
}

func createView(t testing.TB, c *catalog.Catalog, text string) (*catalog.View, error) {
	t.Helper()
	return c.CreateView(t.Context(), parse[*sql.CreateView](t, text))
}

func fill(t testing.TB, c *catalog.Catalog) {
	t.Helper()
	if _, err := createStream(t, c, clicks); err != nil {
		t.Fatal(err)
	}
	if _, err := createView(t, c, hits); err != nil {
		t.Fatal(err)
	}
}

func TestSurvivesReopen(t *testing.T) {
	disk := &storage{}
	c := open(t, disk)
	if len(c.Streams()) != 0 || len(c.Views()) != 0 || c.Version() != 0 {
		t.Fatal("a new catalog is not empty")
	}
	fill(t, c)
	for _, c := range []*catalog.Catalog{c, open(t, disk)} {
		s, err := c.Stream("clicks")
		if err != nil {
			t.Fatal(err)
		}
		v, err := c.View("page_hits")
		if err != nil {
			t.Fatal(err)
		}
		if s.ID != "clicks.1" || v.ID != "page_hits.2" || v.StreamID != s.ID || c.Version() != 2 {
			t.Errorf("ids %s, %s over %s, version %d", s.ID, v.ID, v.StreamID, c.Version())
		}
		if s.Plan.Name != "clicks" || s.Plan.Partitions != 2 || v.Plan.Stream != s.Plan || v.Plan.Name != "page_hits" {
			t.Errorf("plans %+v, %+v", s.Plan, v.Plan)
		}
		if s.Created.IsZero() || s.Created.Location() != v.Created.Location() {
			t.Errorf("created %v, %v", s.Created, v.Created)
		}
		if len(c.Streams()) != 1 || len(c.Views()) != 1 {
			t.Errorf("%d streams, %d views", len(c.Streams()), len(c.Views()))
		}
	}
	if strings.Contains(string(disk.data), `\u003c`) {
		t.Error("the SQL is not readable in the file")
	}
}

func TestReports(t *testing.T) {
	const text = "CREATE REPORT daily SCHEDULE '@daily' AS\nSELECT [page] AS p FROM page_hits\nWITH (format = 'csv')"
	disk := &storage{}
	c := open(t, disk)
	fill(t, c)
	create := func(text string) error {
		_, err := c.CreateReport(t.Context(), parse[*sql.CreateReport](t, text))
		return err
	}
	if err := create(text); err != nil {
		t.Fatal(err)
	}
	if err := create(text); !errors.Is(err, catalog.ErrExists) {
		t.Errorf("the same again: %v", err)
	}
	if err := create(strings.Replace(text, "daily", "clicks", 1)); !errors.Is(err, catalog.ErrExists) {
		t.Errorf("a stream's name: %v", err)
	}
	if _, err := createStream(t, c, strings.Replace(clicks, "clicks", "daily", 1)); !errors.Is(err, catalog.ErrExists) {
		t.Errorf("a report's name for a stream: %v", err)
	}
	c = open(t, disk)
	r, err := c.Report("daily")
	if err != nil || r.ID != "daily.3" || r.SQL != text || r.Statement.String() != text || r.Created.IsZero() {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := c.Report("dayly"); !errors.Is(err, catalog.ErrNotFound) || !strings.Contains(err.Error(), `did you mean "daily"?`) {
		t.Errorf("a misspelt name: %v", err)
	}
	if _, err := c.Report("clicks"); !errors.Is(err, catalog.ErrNotFound) || !strings.Contains(err.Error(), "it is a stream") {
		t.Errorf("a stream's name: %v", err)
	}
	if r, err := c.DropReport(t.Context(), "daily"); err != nil || r.ID != "daily.3" {
		t.Fatalf("drop: %+v, %v", r, err)
	}
	if left := open(t, disk).Reports(); len(left) != 0 {
		t.Errorf("left after a drop: %v", left)
	}
}

func TestRefusals(t *testing.T) {
	c := open(t, &storage{})
	fill(t, c)
	var at *sql.Error
	for _, k := range []struct {
		name string
		do   func() error
		want error
		says string
	}{
		{"stream twice", func() error { _, err := createStream(t, c, clicks); return err }, catalog.ErrExists, `stream "clicks"`},
		{"stream named as a view", func() error {
			_, err := createStream(t, c, strings.Replace(clicks, "clicks", "page_hits", 1))
			return err
		}, catalog.ErrExists, `view "page_hits"`},
		{"view named as a stream", func() error {
			_, err := createView(t, c, strings.Replace(hits, "page_hits", "clicks", 1))
			return err
		}, catalog.ErrExists, `stream "clicks"`},
		{"drop a stream in use", func() error { _, err := c.DropStream(t.Context(), "clicks"); return err }, catalog.ErrInUse, "page_hits"},
		{"drop an unknown stream", func() error { _, err := c.DropStream(t.Context(), "clics"); return err }, catalog.ErrNotFound, `did you mean "clicks"?`},
		{"drop an unknown view", func() error { _, err := c.DropView(t.Context(), "x"); return err }, catalog.ErrNotFound, `view "x" not found`},
		{"a view is no stream", func() error { _, err := c.Stream("page_hits"); return err }, catalog.ErrNotFound, "it is a view"},
		{"a stream is no view", func() error { _, err := c.View("clicks"); return err }, catalog.ErrNotFound, "it is a stream"},
		{"nearest view", func() error { _, err := c.View("page_hit"); return err }, catalog.ErrNotFound, `did you mean "page_hits"?`},
	} {
		err := k.do()
		if !errors.Is(err, k.want) || !strings.Contains(err.Error(), k.says) {
			t.Errorf("%s: %v", k.name, err)
		}
	}
	_, err := createView(t, c, strings.NewReplacer("page_hits", "other", "FROM clicks", "FROM clixks").Replace(hits))
	if !errors.As(err, &at) || at.Pos.Line != 1 || !strings.Contains(err.Error(), `did you mean "clicks"?`) {
		t.Errorf("view over an unknown stream: %v", err)
	}
	_, err = createView(t, c, strings.NewReplacer("page_hits", "other", "FROM clicks", "FROM (SELECT * FROM clicks)").Replace(hits))
	if !errors.As(err, &at) || !strings.Contains(err.Error(), "subquery") {
		t.Errorf("view over a subquery: %v", err)
	}
	if c.Version() != 2 {
		t.Errorf("refusals changed the catalog to version %d", c.Version())
	}
}

// TestIDsAreNeverUsedAgain drops, fails and reopens: an id is never given twice.
func TestIDsAreNeverUsedAgain(t *testing.T) {
	disk := &storage{}
	c := open(t, disk)
	seen := make(map[string]bool)
	for i := range 20 {
		disk.fail, disk.ambiguous = i%5 == 3, i%5 == 4
		s, err := createStream(t, c, clicks)
		if disk.fail || disk.ambiguous {
			if !errors.Is(err, errFull) {
				t.Fatalf("create: %v", err)
			}
			if _, err := c.Stream("clicks"); !errors.Is(err, catalog.ErrNotFound) {
				t.Fatal("a definition that is not durable is visible")
			}
		} else {
			if err != nil {
				t.Fatal(err)
			}
			if seen[s.ID] {
				t.Fatalf("id %s was given twice", s.ID)
			}
			seen[s.ID] = true
		}
		disk.fail, disk.ambiguous = false, false
		if i%3 == 0 {
			c = open(t, disk)
		}
		if s, err := c.Stream("clicks"); err == nil {
			seen[s.ID] = true // also those that an ambiguous write left
			if _, err := c.DropStream(t.Context(), "clicks"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestDrop(t *testing.T) {
	disk := &storage{}
	c := open(t, disk)
	fill(t, c)
	if v, err := c.DropView(t.Context(), "page_hits"); err != nil || v.ID != "page_hits.2" {
		t.Fatalf("%+v, %v", v, err)
	}
	if s, err := c.DropStream(t.Context(), "clicks"); err != nil || s.ID != "clicks.1" {
		t.Fatalf("%+v, %v", s, err)
	}
	again := open(t, disk)
	if len(again.Streams()) != 0 || again.Version() != 4 {
		t.Fatalf("%d streams at version %d", len(again.Streams()), again.Version())
	}
	fill(t, again)
	if s, _ := again.Stream("clicks"); s.ID != "clicks.3" {
		t.Fatalf("id %s", s.ID)
	}
}

func TestConcurrent(t *testing.T) {
	c := open(t, &storage{})
	var wg sync.WaitGroup
	for i := range 8 {
		text := strings.Replace(clicks, "clicks", fmt.Sprintf("s%d", i), 1)
		wg.Go(func() {
			for range 5 {
				if _, err := createStream(t, c, text); err != nil {
					t.Error(err)
				}
				if _, err := c.DropStream(t.Context(), fmt.Sprintf("s%d", i)); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 50 {
				for _, s := range c.Streams() {
					if s.Plan == nil {
						t.Error("half a definition")
					}
				}
			}
		})
	}
	wg.Wait()
	if c.Version() != 80 {
		t.Errorf("version %d", c.Version())
	}
}

func TestOpenRefusesDamage(t *testing.T) {
	for name, data := range map[string]string{
		"no JSON":       "x",
		"empty":         "",
		"newer format":  `{"format":2}`,
		"unknown field": `{"format":1,"more":1}`,
		"lost stream":   `{"format":1,"views":[{"id":"v.1","stream_id":"s.1","sql":` + fmt.Sprintf("%q", hits) + `}]}`,
		"two names":     `{"format":1,"streams":[{"id":"a.1","sql":` + fmt.Sprintf("%q", clicks) + `},{"id":"a.2","sql":` + fmt.Sprintf("%q", clicks) + `}]}`,
		"other SQL":     `{"format":1,"streams":[{"id":"a.1","sql":"SHOW STREAMS"}]}`,
	} {
		if _, err := catalog.Open(t.Context(), &storage{data: []byte(data)}); !errors.Is(err, catalog.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLeaderboards keeps leaderboards among the views, tells the two apart where they are
// dropped, and reads a catalog of before there were any.
func TestLeaderboards(t *testing.T) {
	disk := &storage{}
	c := open(t, disk)
	fill(t, c)
	before := append([]byte(nil), disk.data...)
	if _, err := createStream(t, c, "CREATE STREAM games (ts DateTime64(3), user String, n Int64) WITH (partition_by = 'user')"); err != nil {
		t.Fatal(err)
	}
	const text = "CREATE LEADERBOARD best AS SELECT user, sum(n) AS score FROM games GROUP BY user WITH (order = 'asc', windows = 'all,day')"
	if _, err := c.CreateLeaderboard(t.Context(), parse[*sql.CreateLeaderboard](t, text)); err != nil {
		t.Fatal(err)
	}
	again := open(t, disk)
	v, err := again.Leaderboard("best")
	if err != nil || v.Board == nil || v.Board.Desc || len(v.Board.Windows) != 2 || v.Board.View != v.Plan {
		t.Errorf("reads back as %+v, %v", v, err)
	}
	if same, err := again.View("best"); err != nil || same != v {
		t.Errorf("as a view it is %v, %v", same, err)
	}
	if n := len(again.Leaderboards()); n != 1 || len(again.Views()) != n+len(open(t, &storage{data: before}).Views()) {
		t.Errorf("%d leaderboards among %d views", n, len(again.Views()))
	}
	if _, err := again.CreateLeaderboard(t.Context(), parse[*sql.CreateLeaderboard](t, text)); !errors.Is(err, catalog.ErrExists) {
		t.Errorf("declared twice: %v", err)
	}
	for what, refused := range map[string]func() (*catalog.View, error){
		"it is a leaderboard: DROP LEADERBOARD": func() (*catalog.View, error) { return again.DropView(t.Context(), "best") },
		"it is a stream":                        func() (*catalog.View, error) { return again.DropLeaderboard(t.Context(), "games") },
		"it is a view":                          func() (*catalog.View, error) { return again.DropLeaderboard(t.Context(), "page_hits") },
		`did you mean "best"?`:                  func() (*catalog.View, error) { return again.Leaderboard("besst") },
	} {
		if _, err := refused(); !errors.Is(err, catalog.ErrNotFound) || !strings.Contains(err.Error(), what) {
			t.Errorf("%v is not %s", err, what)
		}
	}
	if _, err := again.DropStream(t.Context(), "games"); !errors.Is(err, catalog.ErrInUse) {
		t.Errorf("a stream in use is dropped: %v", err)
	}
	if _, err := again.DropLeaderboard(t.Context(), "best"); err != nil || len(again.Leaderboards()) != 0 {
		t.Errorf("dropped: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	disk := &storage{}
	fill(f, open(f, disk))
	f.Add(disk.data)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := catalog.Open(t.Context(), &storage{data: data})
		if err == nil && len(c.Streams()) == 0 && len(c.Views()) > 0 {
			t.Fatal("views without streams")
		}
	})
}
