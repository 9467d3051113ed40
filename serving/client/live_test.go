package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/serving/client"
)

// events serves a stream of the given text and then goes, or waits for the client to.
func events(text string, stay bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush()
		if stay {
			<-r.Context().Done()
		}
	}
}

const answerText = `data: {"meta":[{"name":"page","type":"String"},{"name":"n","type":"UInt64"}],
data: "data":[
data: {"page":"/a","n":%d}
data: ],"rows":1,"provenance":{"view":"hits","generation":2,"cut":null,"partitions":[],"complete":true}}

`

func TestWatchView(t *testing.T) {
	text := "retry: 1000\n\nevent: answer\n" + fmt.Sprintf(answerText, 1) + ": still here\n\nevent: problem\r\ndata: {\"type\":\"/problems/busy\",\"status\":503,\"detail\":\"not now\"}\n\n" +
		"event: answer\n" + fmt.Sprintf(answerText, 2)
	asked := ""
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		events(text, false)(w, r)
	}, client.Options{})
	var got []string
	for a, err := range c.WatchView(t.Context(), "hits", client.ViewQuery{Order: []string{"-n"}}, 250*time.Millisecond) {
		var e *client.Error
		switch {
		case errors.As(err, &e):
			got = append(got, e.Kind()+" "+e.Error())
		case err != nil:
			got = append(got, err.Error())
		default:
			got = append(got, fmt.Sprint(a.Rows, a.Sources[0].Generation))
		}
	}
	want := []string{"[[/a 1]] 2", "busy not now", "[[/a 2]] 2", "read /v1/views/hits/live: unexpected EOF"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if asked != "/v1/views/hits/live?every=250ms&order=-n" {
		t.Errorf("asked %s", asked)
	}
}

func TestLeavingALoopEndsTheStream(t *testing.T) {
	gone := make(chan struct{})
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		events("event: pulse\ndata: {\"healthy\":true,\"more\":[1]}\n\n", true)(w, r)
		close(gone)
	}, client.Options{})
	for p, err := range c.Pulses(t.Context()) {
		if err != nil || !p.Healthy || string(p.Raw) != `{"healthy":true,"more":[1]}` {
			t.Errorf("%+v %v", p, err)
		}
		break
	}
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the server still serves it")
	}
}

func TestStreamsThatCannotBe(t *testing.T) {
	refusing := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"type":"/problems/unknown-leaderboard","status":404,"detail":"there is none"}`)
	}
	for name, c := range map[string]struct {
		h     http.HandlerFunc
		board string
		says  string
	}{
		"refused":      {refusing, "top", "there is none"},
		"without name": {refusing, "", "the name is empty"},
		"no JSON":      {events("data: {\n\n", true), "top", "unexpected end of JSON input"},
		"too long":     {events("data: "+strings.Repeat("x", 65<<20), true), "top", "token too long"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			seen := 0
			for _, err := range serve(t, c.h, client.Options{Retries: -1}).WatchTop(ctx, c.board, client.TopQuery{N: 3}, 0) {
				seen++
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want %s", err, c.says)
				}
				break
			}
			if seen != 1 {
				t.Error("there was no error")
			}
		})
	}
}
