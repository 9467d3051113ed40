package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/millrace/millrace/internal/clickhouse/engine"
	"github.com/millrace/millrace/serving/client"
)

// batchCommand runs batch jobs now.
func batchCommand(ctx context.Context, args []string) error {
	fs := flags("batch")
	server := serverFlags(fs, once)
	if len(args) == 0 || args[0] != "run" {
		return errUsage
	}
	views, err := parse(fs, args[1:])
	if err != nil {
		return err
	}
	c, err := server()
	if err != nil {
		return err
	}
	if len(views) == 0 {
		s, err := c.Status(ctx)
		if err != nil {
			return err
		}
		for _, v := range s.Views {
			views = append(views, v.Name)
		}
	}
	for _, v := range views {
		if err := runBatch(ctx, v, c.RunBatch); err != nil {
			return err
		}
	}
	return nil
}

// rebuild recomputes a view whole.
func rebuild(ctx context.Context, args []string) error {
	c, view, err := oneArgument("rebuild", args)
	if err != nil {
		return err
	}
	return runBatch(ctx, view, c.Rebuild)
}

// oneArgument parses the arguments of a command that takes one.
func oneArgument(name string, args []string) (*client.Client, string, error) {
	fs := flags(name)
	server := serverFlags(fs, once)
	args, err := parse(fs, args)
	if err != nil {
		return nil, "", err
	}
	if len(args) != 1 {
		return nil, "", errUsage
	}
	c, err := server()
	return c, args[0], err
}

func runBatch(ctx context.Context, view string, run func(ctx context.Context, view string) (*client.BatchResult, error)) error {
	start := time.Now()
	r, err := run(ctx, view)
	if err != nil {
		return fmt.Errorf("view %s: %w", view, err)
	}
	fmt.Printf("%s: generation %d, cut %d, %d rows, drift %s, %s\n", view, r.Generation, r.Cut, r.Rows, r.Drift, time.Since(start).Round(time.Millisecond))
	return nil
}

// status prints the state of every layer.
func status(ctx context.Context, args []string) error {
	fs := flags("status")
	server := serverFlags(fs, once)
	args, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(args) != 0 {
		return errUsage
	}
	c, err := server()
	if err != nil {
		return err
	}
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(s.Raw)
}

// errorsCommand lists or replays dead letters.
func errorsCommand(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "list" && args[0] != "replay" {
		return errUsage
	}
	c, stream, err := oneArgument("errors", args[1:])
	if err != nil {
		return err
	}
	if args[0] == "replay" {
		r, err := c.Replay(ctx, stream)
		if err != nil {
			return err
		}
		fmt.Printf("%d accepted, %d refused again\n", r.Replayed, r.Refused)
		return nil
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetEscapeHTML(false)
	for letter, err := range c.DeadLetters(ctx, stream) {
		if err != nil {
			return err
		}
		if err := enc.Encode(letter); err != nil {
			return err
		}
	}
	return nil
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
