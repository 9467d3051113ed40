package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace/internal/problem"
)

// TestRequestsOfCommands runs commands against a server that notes what it is asked and
// gives known answers: the requests, the token, and what is printed.
func TestRequestsOfCommands(t *testing.T) {
	answers := map[string]string{
		"POST /v1/tokens": `{"id":"t1","name":"web","role":"ingest","objects":["clicks","views"],"created":"2026-01-02T03:04:05Z","expires":"2026-02-02T03:04:05Z","token":"mr_new"}`,
		"GET /v1/tokens": `{"tokens":[{"id":"t1","name":"web\u001b[2J","role":"ingest","objects":["clicks"],"created":"2026-01-02T03:04:05Z","expires":"2026-02-02T03:04:05Z"},
			{"id":"t2","name":"ops","role":"admin","objects":[],"created":"2026-01-02T03:04:05Z","expires":null}]}`,
		"DELETE /v1/tokens/t1": "",
		"GET /v1/audit":        "{\"kind\":\"sql\",\"text\":\"SELECT 1\"}\n{\"kind\":\"drop\"}\n",
		"GET /v1/leaderboards": `{"leaderboards":[{"name":"players","stream":"games","member":"user","score":"points","order":"desc","windows":["all","day"],"tie":"shared"}]}`,
		"GET /v1/reports": `{"reports":[{"name":"daily","schedule":"0 8 * * *","time_zone":"Europe/Berlin","format":"csv","deliver":["mailto:a@b.c"],"next":"2026-01-03T07:00:00Z",
			"last":{"id":"20260102T070000Z","tick":"2026-01-02T07:00:00Z","state":"failed"}},{"name":"new","schedule":"@daily","time_zone":"UTC","format":"html","deliver":[],"next":null,"last":null}]}`,
		"GET /v1/reports/daily/runs": `{"runs":[{"id":"20260102T070000Z","state":"failed","rows":2,"bytes":30,"started":"2026-01-02T07:00:00Z","finished":"2026-01-02T07:00:01Z",
			"deliveries":[{"to":"mailto:a@b.c","state":"failed","error":"no such user"},{"to":"file:x","state":"delivered"}]},{"id":"20260101T070000Z","state":"missed","missed_ticks":3},
			{"id":"20251229T070000Z","state":"failed","error":"no such view"}]}`,
		"POST /v1/reports/daily/run":                           `{"id":"20260102T080000Z-ABCDEFGH","state":"delivered","rows":2,"bytes":30,"deliveries":[{"to":"file:x","state":"delivered"}]}`,
		"GET /v1/reports/daily/runs/20260102T070000Z/document": "a,b\n1,2\n",
		"GET /v1/leaderboards/players/top": `{"leaderboard":"players","window":{"name":"day","start":"2026-01-02T00:00:00Z","end":"2026-01-03T00:00:00Z"},"members":12,
			"rows":[{"rank":1,"member":"ada","score":9007199254740993},{"rank":2,"member":"bob","score":1.5}],"next":"C2","provenance":{"leaderboard":"players","complete":true}}`,
		"GET /v1/leaderboards/players/rank/a b/c": `{"rank":3,"member":"a b/c","score":7,"members":12,"percentile":83.5,"window":{"name":"all"},"provenance":{"leaderboard":"players","lag_ms":1500}}`,
		"GET /v1/leaderboards/players/around/ada": `{"leaderboard":"players","window":{"name":"all"},"members":12,"rows":[{"rank":1,"member":"ada","score":9}],"provenance":{"leaderboard":"players","complete":true}}`,
		"GET /v1/leaderboards/players/members": `{"leaderboard":"players","window":{"name":"all"},"members":12,
			"rows":[{"rank":4,"member":17,"score":9,"among":1},{"rank":null,"member":"nobody","score":null}],"provenance":{"leaderboard":"players","complete":true}}`,
	}
	var mu sync.Mutex
	var seen, token string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		seen, token = strings.TrimSpace(r.Method+" "+r.RequestURI+" "+string(body)), r.Header.Get("Authorization")
		answer, ok := answers[r.Method+" "+r.URL.Path]
		switch {
		case token != "Bearer mr_secret":
			problem.Write(w, problem.New(http.StatusUnauthorized, "unauthorized", "there is no token", ""))
		case !ok:
			problem.Write(w, problem.New(http.StatusNotFound, "unknown-member", "nobody is not on the board", ""))
		default:
			_, _ = io.WriteString(w, answer)
		}
	}))
	defer web.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("mr_secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	withToken := []string{"MILLRACE_URL=" + web.URL, "MILLRACE_TOKEN=mr_secret"}
	without := []string{"MILLRACE_URL=" + web.URL, "MILLRACE_TOKEN="}
	for _, c := range []struct {
		env    []string
		args   string
		stdin  string
		code   int
		seen   string
		stdout string // as a whole
		stderr string // a part of it
	}{
		{withToken, "token create --role ingest web --object clicks --object views --expires 720h", "", 0,
			`POST /v1/tokens {"name":"web","role":"ingest","objects":["clicks","views"],"expires":"720h"}`,
			"mr_new\n", "token web (id t1): role ingest on clicks, views, expires 2026-02-02 03:04:05\nIt is shown only now"},
		{withToken, "token create web", "", 2, "", "", "usage: millrace token create"},
		{withToken, "token list", "", 0, "GET /v1/tokens", "" +
			" id │ name       │ role   │ on         │ created             │ expires             │ state\n" +
			"────┼────────────┼────────┼────────────┼─────────────────────┼─────────────────────┼─────────\n" +
			` t1 │ web\x1b[2J │ ingest │ clicks     │ 2026-01-02 03:04:05 │ 2026-02-02 03:04:05 │ expired` + "\n" +
			" t2 │ ops        │ admin  │ everything │ 2026-01-02 03:04:05 │ never expires       │ valid\n", ""},
		{withToken, "token revoke t1", "", 0, "DELETE /v1/tokens/t1", "revoked t1\n", ""},
		{withToken, "audit --limit 2 --since 2026-01-02", "", 0, "GET /v1/audit?limit=2&since=2026-01-02T00%3A00%3A00Z",
			"{\"kind\":\"sql\",\"text\":\"SELECT 1\"}\n{\"kind\":\"drop\"}\n", ""},
		{withToken, "audit --since yesterday", "", 1, "", "", `--since: "yesterday" is not a time`},
		{withToken, "leaderboard", "", 0, "GET /v1/leaderboards", "" +
			" name    │ stream │ member │ score  │ order │ ties   │ windows\n─────────┼────────┼────────┼────────┼───────┼────────┼──────────\n" +
			" players │ games  │ user   │ points │ desc  │ shared │ all, day\n", ""},
		{withToken, "leaderboard top players --window day --at 2026-01-02 -n 2 --after C1 --wait 1s", "", 0,
			"GET /v1/leaderboards/players/top?after=C1&at=2026-01-02T00%3A00%3A00Z&n=2&wait=1s&window=day", "" +
				" rank │ member │            score\n──────┼────────┼──────────────────\n    1 │ ada    │ 9007199254740993\n    2 │ bob    │              1.5\n" +
				"12 members, day from 2026-01-02 00:00:00 · players: complete\nnext page: --after C2\n", ""},
		{withToken, "leaderboard rank players a_b/c", "", 0, "GET /v1/leaderboards/players/rank/a%20b%2Fc",
			" rank │ member │ score\n──────┼────────┼───────\n    3 │ a b/c  │     7\nof 12 members, better than or as good as 83.50 % of them, window all · players: 1.50 s behind\n", ""},
		{withToken, "leaderboard around players ada -n 3 --json", "", 0, "GET /v1/leaderboards/players/around/ada?n=3",
			`{"leaderboard":"players","window":{"name":"all"},"members":12,"rows":[{"rank":1,"member":"ada","score":9}],"provenance":{"leaderboard":"players","complete":true}}` + "\n", ""},
		{withToken, "leaderboard members players ada nobody", "", 0, "GET /v1/leaderboards/players/members?m=ada&m=nobody", "" +
			" among them │ rank │ member │ score\n────────────┼──────┼────────┼───────\n          1 │    4 │ 17     │     9\n       NULL │ NULL │ nobody │  NULL\n12 members, window all · players: complete\n", ""},
		{withToken, "leaderboard rank players nobody", "", 1, "GET /v1/leaderboards/players/rank/nobody", "", "millrace leaderboard: nobody is not on the board"},
		{withToken, "leaderboard rank players", "", 2, "", "", "usage: millrace leaderboard"},
		{withToken, "reports", "", 0, "GET /v1/reports", "" +
			" name  │ schedule  │ time zone     │ format │ to           │ next                │ last                │ state\n" +
			"───────┼───────────┼───────────────┼────────┼──────────────┼─────────────────────┼─────────────────────┼───────────\n" +
			" daily │ 0 8 * * * │ Europe/Berlin │ csv    │ mailto:a@b.c │ 2026-01-03 07:00:00 │ 2026-01-02 07:00:00 │ failed\n" +
			" new   │ @daily    │ UTC           │ html   │              │                     │                     │ never run\n", ""},
		{withToken, "reports runs daily --limit 3", "", 0, "GET /v1/reports/daily/runs?limit=3", "" +
			" run              │ state  │ rows │ bytes │ started             │ finished            │ deliveries\n" +
			"──────────────────┼────────┼──────┼───────┼─────────────────────┼─────────────────────┼──────────────────────────────────────────────────────\n" +
			" 20260102T070000Z │ failed │    2 │    30 │ 2026-01-02 07:00:00 │ 2026-01-02 07:00:01 │ mailto:a@b.c failed (no such user), file:x delivered\n" +
			" 20260101T070000Z │ missed │    0 │     0 │                     │                     │ 3 ticks up to this\n" +
			" 20251229T070000Z │ failed │    0 │     0 │                     │                     │ no such view\n", ""},
		{withToken, "reports run daily", "", 0, "POST /v1/reports/daily/run", "" +
			" run                       │ state     │ rows │ bytes │ started │ finished │ deliveries\n" +
			"───────────────────────────┼───────────┼──────┼───────┼─────────┼──────────┼──────────────────\n" +
			" 20260102T080000Z-ABCDEFGH │ delivered │    2 │    30 │         │          │ file:x delivered\n", ""},
		{withToken, "reports document daily 20260102T070000Z", "", 0, "GET /v1/reports/daily/runs/20260102T070000Z/document", "a,b\n1,2\n", ""},
		{withToken, "reports run nightly", "", 1, "POST /v1/reports/nightly/run", "", "millrace reports: nobody is not on the board"},
		{withToken, "reports run", "", 2, "", "", "usage: millrace reports"},
		{without, "token list --token-file " + file, "", 0, "GET /v1/tokens", "", ""},
		{without, "token revoke t1 --token-file -", "mr_secret", 0, "DELETE /v1/tokens/t1", "revoked t1\n", ""},
		{without, "--token mr_secret token", "", 2, "", "", `unknown command "--token"`},
		{without, "token revoke --token mr_secret t1", "", 0, "DELETE /v1/tokens/t1", "revoked t1\n", ""},
		{without, "token list", "", 1, "GET /v1/tokens", "", "there is no token (give a token: --token-file FILE, or MILLRACE_TOKEN)"},
		{without, "token list --token x --token-file y", "", 1, "", "", "give one of them"},
		{without, "token list --token-file " + os.DevNull, "", 1, "", "", "is empty"},
	} {
		seen, token = "", ""
		var args []string
		for arg := range strings.FieldsSeq(c.args) {
			args = append(args, strings.ReplaceAll(arg, "_b", " b")) // an argument with a blank in it
		}
		stdout, stderr, code := cli(t, c.env, c.stdin, args...)
		if code != c.code || seen != c.seen || c.stdout != "" && stdout != c.stdout || !strings.Contains(stderr, c.stderr) {
			t.Errorf("millrace %s: exit code %d, want %d\nthe server saw %q, want %q\nprinted\n%s\nwant\n%s\nand beside\n%s\nwant\n%s",
				c.args, code, c.code, seen, c.seen, stdout, c.stdout, stderr, c.stderr)
		}
	}
}
