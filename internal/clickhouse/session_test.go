package clickhouse_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
)

func TestSession(t *testing.T) {
	c := enginetest.Client(t)
	s := c.NewSession()
	if err := s.Exec(t.Context(), "CREATE TEMPORARY TABLE t (a Int64) ENGINE = Memory"); err != nil {
		t.Fatal(err)
	}
	if err := s.Exec(t.Context(), "INSERT INTO t VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	r, err := s.Ask(t.Context(), clickhouse.Question{
		Text: "SELECT a, {p:String} AS p FROM t", Format: "JSONCompactEachRow", Params: map[string]string{"p": "x"},
		Settings: map[string]string{"output_format_json_quote_64bit_integers": "0"}, QueryID: "mine",
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil || string(text) != "[7, \"x\"]\n" || r.Header.Get("X-ClickHouse-Query-Id") != "mine" {
		t.Errorf("got %q, %v, %v", text, r.Header, err)
	}
	if err := r.Body.Close(); err != nil {
		t.Error(err)
	}
	var refused *clickhouse.Error
	if err := s.Exec(t.Context(), "SELECT 1"); !errors.As(err, &refused) || refused.Code != clickhouse.CodeSessionNotFound {
		t.Errorf("the session is still there: %v", err)
	}
}

func TestSessionIsReadOnlyForItsQuestion(t *testing.T) {
	for _, text := range []string{"CREATE TABLE not_made (a Int64) ENGINE = Memory", "SET readonly = 0", "SELECT * FROM url('http://127.0.0.1:1', 'CSV', 'a String')"} {
		s := enginetest.Client(t).NewSession()
		_, err := s.Ask(t.Context(), clickhouse.Question{Text: text, Format: "TSV", Settings: map[string]string{"readonly": "0"}})
		var refused *clickhouse.Error
		if !errors.As(err, &refused) || refused.Code != 164 {
			t.Errorf("%s: %v", text, err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestSessionCloses has a session end that was never asked, and one whose question was
// cancelled before it was sent.
func TestSessionCloses(t *testing.T) {
	c := enginetest.Client(t)
	for range 20 { // more than the engine has sessions
		s := c.NewSession()
		if err := s.Exec(t.Context(), "CREATE TEMPORARY TABLE t (a Int64) ENGINE = Memory"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Ask(ctx, clickhouse.Question{Text: "SELECT 1", Format: "TSV"}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRowsOfAReply: the engine counts what it sends, in any format and however it comes.
func TestRowsOfAReply(t *testing.T) {
	c := enginetest.Client(t)
	for _, format := range []string{"JSON", "CSVWithNames", "Native", "Parquet", "Vertical"} {
		for query, want := range map[string]int64{
			"SELECT number % 7 AS k, count() FROM numbers(1000) GROUP BY k": 7, "SELECT number FROM numbers(200000)": 200_000, "SELECT 1 WHERE false": 0,
		} {
			reply, err := c.NewSession().Ask(t.Context(), clickhouse.Question{Text: query, Format: format})
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, reply.Body)
			if err = errors.Join(err, reply.Body.Close()); err != nil || reply.Rows() != want {
				t.Errorf("%s as %s: %d rows, %v, want %d", query, format, reply.Rows(), err, want)
			}
		}
	}
}
