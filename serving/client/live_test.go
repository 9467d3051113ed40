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

// TestLiveReadsEvents reads a stream with everything in it that the standard allows.
func TestLiveReadsEvents(t *testing.T) {
	const answers = "retry: 1000\n\n: still here\n\n" +
		"event: answer\ndata: {\"meta\":[{\"name\":\"n\",\"type\":\"Int64\"}],\ndata:\"data\":[{\"n\":1}],\"rows\":1,\ndata: \"provenance\":{\"view\":\"v\",\"complete\":true}}\n\n" +
		"event: news\ndata: whatever\n\n" +
		"event: problem\r\ndata: {\"status\":503,\"type\":\"/problems/busy\",\"detail\":\"Redis is away\"}\r\n\r\n" +
		"id: 7\nevent: answer\ndata: {\"meta\":[{\"name\":\"n\",\"type\":\"Int64\"}],\"data\":[{\"n\":2}],\"rows\":1}\n\n" +
		"event: answer\ndata: {\"cut"
	asked := make(chan string, 1)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.String() + " " + r.Header.Get("Accept")
		_, _ = io.WriteString(w, answers)
	}, client.Options{Retries: -1})
	var got []string
	for a, err := range c.LiveView(t.Context(), "v", client.ViewQuery{From: "-1h", By: []string{}, Wait: time.Minute}, 2*time.Second) {
		var e *client.Error
		switch {
		case errors.As(err, &e):
			got = append(got, e.Kind()+": "+e.Detail)
		case errors.Is(err, io.ErrUnexpectedEOF):
			got = append(got, "broken off")
		case err != nil:
			t.Fatal(err)
		default:
			got = append(got, fmt.Sprint(a.Rows, len(a.Sources)))
		}
	}
	if want := "[[1]] 1|busy: Redis is away|[[2]] 0|broken off"; strings.Join(got, "|") != want {
		t.Errorf("%s, want %s", strings.Join(got, "|"), want)
	}
	if request, want := <-asked, "/v1/views/v/live?by=&every=2s&from=-1h text/event-stream"; request != want {
		t.Errorf("asked %s, want %s", request, want)
	}
}

func TestLiveEnds(t *testing.T) {
	beat := "event: pulse\ndata: {\"healthy\":true,\"views\":[{\"name\":\"v\",\"lag_ms\":7}],\"steps\":{\"serving\":null}}\n\n"
	gone := make(chan struct{})
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/live":
			_, _ = io.WriteString(w, beat)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(gone)
		case "/v1/leaderboards/b/live":
			_, _ = io.WriteString(w, "event: answer\ndata: {\"members\":\"many\"}\n\n")
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"type":"/problems/unknown-view","detail":"no view"}`)
		}
	}, client.Options{Retries: -1})

	// A reader who leaves ends the request.
	for p, err := range c.Pulses(t.Context()) {
		if err != nil || !p.Healthy || p.Views[0].LagMillis != 7 || p.Steps.Serving != nil {
			t.Fatalf("%+v, %v", p, err)
		}
		break
	}
	<-gone

	// A first failure is the answer of the request.
	for _, err := range c.LiveView(t.Context(), "nowhere", client.ViewQuery{}, 0) {
		var e *client.Error
		if !errors.As(err, &e) || e.Kind() != "unknown-view" {
			t.Errorf("%v", err)
		}
	}

	// So is one that cannot be read, or an ended context, or an empty name.
	for _, err := range c.LiveTop(t.Context(), "b", client.TopQuery{N: 3}, 0) {
		if err == nil || !strings.Contains(err.Error(), "read an event of /v1/leaderboards/b/live") {
			t.Errorf("%v", err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range c.LiveTop(ended, "b", client.TopQuery{}, 0) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
	for _, err := range c.LiveView(t.Context(), "", client.ViewQuery{}, 0) {
		if err == nil {
			t.Error("a view without a name")
		}
	}
}
