package chhttp

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/serving/chhttp/chhttptest"
	"github.com/millrace/millrace/serving/query"
)

// perPage is what the tests ask every client.
const perPage = "SELECT page, count() AS c, sum(price) AS p FROM clicks GROUP BY page ORDER BY page LIMIT 2"

func TestClickHouseGo(t *testing.T) {
	e, _ := onEngine(t)
	for name, method := range map[string]ch.CompressionMethod{
		"plain": ch.CompressionNone, "lz4": ch.CompressionLZ4, "zstd": ch.CompressionZSTD, "gzip": ch.CompressionGZIP,
		"deflate": ch.CompressionDeflate, "br": ch.CompressionBrotli,
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := ch.Open(&ch.Options{
				Protocol: ch.HTTP, Addr: []string{strings.TrimPrefix(e.URL, "http://")},
				Auth:        ch.Auth{Database: "millrace", Username: "ann", Password: "mr_sql"},
				Compression: &ch.Compression{Method: method, Level: 3},
				Settings:    ch.Settings{"enable_http_compression": 1},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ctx := context.Background()
			if err := conn.Ping(ctx); err != nil {
				t.Fatal(err)
			}
			v, err := conn.ServerVersion()
			if err != nil || v.DisplayName != displayName || v.Version.Major < 26 {
				t.Errorf("%v %v", v, err)
			}
			rows, err := conn.Query(ctx, "SELECT page, count() AS c, sum(price) AS p FROM clicks WHERE page != {x:String} GROUP BY page ORDER BY page LIMIT 2", ch.Named("x", "/0"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for rows.Next() {
				var page string
				var c uint64
				var p float64
				if err := rows.Scan(&page, &c, &p); err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprint(page, c, p))
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				t.Fatal(err)
			}
			if want := []string{"/1143 17803.5", "/2143 17839.25"}; !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
			var refusal *ch.Exception
			if err := conn.Exec(ctx, "INSERT INTO clicks VALUES ('x', 1, 1)"); !errors.As(err, &refusal) || refusal.Code != codeReadonly {
				t.Errorf("INSERT: %v", err)
			}
			if _, err := conn.Query(ctx, "SELECT * FROM nowhere"); !errors.As(err, &refusal) || refusal.Code != codeUnknownTable {
				t.Errorf("unknown table: %v", err)
			}
		})
	}
}

// TestClickHouseGoReadsAFailureBehindRows: the frame is what the client takes it for.
func TestClickHouseGoReadsAFailureBehindRows(t *testing.T) {
	_, x := onEngine(t)
	e := serve(t, fixedExecutor{func(ctx context.Context, r query.Request) (*query.Response, error) {
		response, err := x.Stream(ctx, r)
		if err == nil && strings.Contains(r.Text, "numbers") {
			response.Body = &breaking{response.Body, problem.New(504, "query-timeout", "ran out of time", "")}
		}
		return response, err
	}})
	for _, method := range []ch.CompressionMethod{ch.CompressionNone, ch.CompressionLZ4, ch.CompressionGZIP} {
		conn, err := ch.Open(&ch.Options{
			Protocol: ch.HTTP, Addr: []string{strings.TrimPrefix(e.URL, "http://")},
			Compression: &ch.Compression{Method: method}, Settings: ch.Settings{"enable_http_compression": 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := conn.Query(context.Background(), "SELECT number FROM numbers(1000000)")
		if err == nil {
			for rows.Next() {
			}
			err = errors.Join(rows.Err(), rows.Close())
		}
		var refusal *ch.Exception
		if !errors.As(err, &refusal) || refusal.Code != codeTimeout || !strings.Contains(refusal.Message, "ran out of time") {
			t.Errorf("compression %v: %v", method, err)
		}
		_ = conn.Close()
	}
}

func TestCurl(t *testing.T) {
	e, _ := onEngine(t)
	curl := func(args ...string) string {
		out, err := exec.Command("curl", append([]string{"-sS", "--max-time", "30"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("curl %q: %v %s", args, err, out)
		}
		return string(out)
	}
	const want = "/0\t143\t17767.75\n/1\t143\t17803.5\n"
	for name, got := range map[string]string{
		"body":       curl("-u", "ann:mr_sql", e.URL, "--data-binary", perPage),
		"url":        curl("-G", e.URL, "--data-urlencode", "query="+perPage),
		"compressed": curl("--compressed", e.URL+"/?enable_http_compression=1", "--data-binary", perPage),
	} {
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := curl(e.URL+"/ping", "-I"); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("HEAD: %q", got)
	}
}

func TestJavaScriptClient(t *testing.T) {
	e, _ := onEngine(t)
	got := chhttptest.InstallJavaScript(t).Ask(t, e.URL, "millrace", "clicks", perPage, "mr_sql")
	want := []map[string]any{{"page": "/0", "c": float64(143), "p": 17767.75}, {"page": "/1", "c": float64(143), "p": 17803.5}}
	if !got.Ping || !got.Select || !slices.Contains(got.Databases, "millrace") || !slices.Contains(got.Tables, "clicks") || len(got.Columns) != 3 {
		t.Errorf("%+v", got)
	}
	if got.Rows != 2 || fmt.Sprint(got.Data) != fmt.Sprint(want) || fmt.Sprint(got.Compressed) != fmt.Sprint(want) {
		t.Errorf("data %v, compressed %v, want %v", got.Data, got.Compressed, want)
	}
	if got.Provenance == "" || got.Refusal.Code != "164" || got.Refusal.Type != "READONLY" {
		t.Errorf("provenance %q, refusal %+v", got.Provenance, got.Refusal)
	}
}
