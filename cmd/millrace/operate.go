package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/millrace/millrace/internal/clickhouse/engine"
	"github.com/millrace/millrace/serving/httpapi"
)

// batchCommand runs batch jobs now.
func batchCommand(ctx context.Context, args []string) error {
	fs := flags("batch")
	server := clientFlag(fs)
	if len(args) == 0 || args[0] != "run" {
		return errUsage
	}
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	c, views := server(), fs.Args()
	if len(views) == 0 {
		var s struct {
			Views []struct {
				Name string `json:"name"`
			} `json:"views"`
		}
		if err := c.json(ctx, http.MethodGet, "/v1/status", &s); err != nil {
			return err
		}
		for _, v := range s.Views {
			views = append(views, v.Name)
		}
	}
	for _, v := range views {
		if err := runBatch(ctx, c, v, false); err != nil {
			return err
		}
	}
	return nil
}

// rebuild recomputes a view whole.
func rebuild(ctx context.Context, args []string) error {
	fs := flags("rebuild")
	server := clientFlag(fs)
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() != 1 {
		return errUsage
	}
	return runBatch(ctx, server(), fs.Arg(0), true)
}

func runBatch(ctx context.Context, c *client, view string, whole bool) error {
	start := time.Now()
	var r httpapi.BatchResult
	path := fmt.Sprintf("/v1/views/%s/batch?rebuild=%t", url.PathEscape(view), whole)
	if err := c.json(ctx, http.MethodPost, path, &r); err != nil {
		return fmt.Errorf("view %s: %w", view, err)
	}
	drift, err := json.Marshal(r.Drift)
	if err != nil {
		return err
	}
	fmt.Printf("%s: generation %d, cut %d, %d rows, drift %s, %s\n", view, r.Generation, r.Cut, r.Rows, drift, time.Since(start).Round(time.Millisecond))
	return nil
}

// status prints the state of every layer.
func status(ctx context.Context, args []string) error {
	fs := flags("status")
	server := clientFlag(fs)
	if err := fs.Parse(args); err != nil {
		return err
	}
	var s json.RawMessage
	if err := server().json(ctx, http.MethodGet, "/v1/status", &s); err != nil {
		return err
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(s)
}

// errorsCommand lists or replays dead letters.
func errorsCommand(ctx context.Context, args []string) error {
	fs := flags("errors")
	server := clientFlag(fs)
	if len(args) == 0 {
		return errUsage
	}
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	if fs.NArg() != 1 {
		return errUsage
	}
	stream := url.PathEscape(fs.Arg(0))
	switch args[0] {
	case "list":
		reply, err := server().do(ctx, http.MethodGet, "/v1/streams/"+stream+"/errors", "", nil)
		if err != nil {
			return err
		}
		defer reply.Body.Close()
		_, err = io.Copy(os.Stdout, reply.Body)
		return err
	case "replay":
		var r struct{ Replayed, Refused int }
		if err := server().json(ctx, http.MethodPost, "/v1/streams/"+stream+"/errors/replay", &r); err != nil {
			return err
		}
		fmt.Printf("%d accepted, %d refused again\n", r.Replayed, r.Refused)
		return nil
	}
	return errUsage
}

// engineCommand fetches the engine.
func engineCommand(ctx context.Context, args []string) error {
	if len(args) != 1 || args[0] != "fetch" {
		return errUsage
	}
	if given := os.Getenv("MILLRACE_LIBCHDB"); given != "" {
		fmt.Println("using MILLRACE_LIBCHDB:", given)
		_, err := engine.Library(given)
		return err
	}
	path, err := engine.Fetch(ctx, engine.FetchOptions{Progress: os.Stderr})
	if err != nil {
		return err
	}
	fmt.Println(path)
	return nil
}
