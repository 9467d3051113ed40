package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/serving/client"
)

// The examples speak to a server that gives one answer; a real one is at an address such
// as http://127.0.0.1:8080.
func answering(text string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
}

func ExampleClient_Query() {
	server := answering(`{"meta":[{"name":"page","type":"String"},{"name":"n","type":"UInt64"}],
		"data":[{"page":"/","n":42},{"page":"/about","n":7}],"rows":2,"provenance":[{"view":"page_hits","generation":12,"complete":true}]}`)
	defer server.Close()

	c, err := client.New(server.URL, client.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := c.Query(context.Background(), "SELECT page, sum(hits) AS n FROM page_hits GROUP BY page ORDER BY n DESC", client.SQLOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, row := range answer.Rows {
		fmt.Println(row[0].(string), row[1].(uint64))
	}
	fmt.Println("complete:", answer.Sources[0].Complete)
	// Output:
	// / 42
	// /about 7
	// complete: true
}

func ExampleClient_Append() {
	server := answering(`{"accepted":1,"rejected":1,"errors":[{"line":2,"reason":"ms: \"slow\" is not a whole number"}]}`)
	defer server.Close()

	c, err := client.New(server.URL, client.Options{Token: "mr_of_a_writer"})
	if err != nil {
		fmt.Println(err)
		return
	}
	events := strings.NewReader(`{"ts":"2026-01-02T03:04:05Z","page":"/","ms":12}
{"ts":"2026-01-02T03:04:06Z","page":"/","ms":"slow"}
`)
	// The key makes it safe to send the events again, here or after a crash of the caller.
	reply, err := c.Append(context.Background(), "clicks", events, client.AppendOptions{IdempotencyKey: "file-17-part-3"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(reply.Accepted, "accepted")
	for _, refused := range reply.Errors {
		fmt.Printf("line %d: %s\n", refused.Line, refused.Reason)
	}
	// Output:
	// 1 accepted
	// line 2: ms: "slow" is not a whole number
}

func ExampleError() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, problem.New(http.StatusNotFound, "unknown-view", `there is no view "hits"`, "there are page_hits"))
	}))
	defer server.Close()

	c, err := client.New(server.URL, client.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = c.View(context.Background(), "hits", client.ViewQuery{From: "-1h"})
	var e *client.Error
	if errors.As(err, &e) && e.Kind() == "unknown-view" {
		fmt.Println(e.Status, e.Detail)
		fmt.Println("hint:", e.Hint)
	}
	// Output:
	// 404 there is no view "hits"
	// hint: there are page_hits
}

func ExampleClient_Top() {
	server := answering(`{"leaderboard":"players","window":{"name":"day"},"members":2,
		"rows":[{"rank":1,"member":"ada","score":120},{"rank":2,"member":"bob","score":99.5}],"provenance":{"leaderboard":"players","complete":true}}`)
	defer server.Close()

	c, err := client.New(server.URL, client.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	top, err := c.Top(context.Background(), "players", client.TopQuery{Scope: client.Scope{Window: "day"}, N: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range top.Rows {
		fmt.Println(*p.Rank, p.Member, *p.Score)
	}
	// Output:
	// 1 ada 120
	// 2 bob 99.5
}
