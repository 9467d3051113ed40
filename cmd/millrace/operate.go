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

// maxViews bounds the views of one command line; without any all views are run.
const maxViews = 1000

// batchCommand runs batch jobs now.
func batchCommand(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "run" {
		return errUsage
	}
	c, views, err := asking(flags("batch"), args[1:], once, 0, maxViews)
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
	c, args, err := asking(flags("rebuild"), args, once, 1, 1)
	if err != nil {
		return err
	}
	return runBatch(ctx, args[0], c.Rebuild)
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

// status prints the state of every layer, or with --watch how all does, a line a second.
func status(ctx context.Context, args []string) error {
	fs := flags("status")
	watch := fs.Bool("watch", false, "print a line about every second until interrupted")
	c, _, err := asking(fs, args, once, 0, 0)
	if err != nil {
		return err
	}
	if *watch {
		return printPulses(ctx, c)
	}
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(s.Raw)
}

// printPulses prints pulses as NDJSON until it is interrupted, which is no failure.
func printPulses(ctx context.Context, c *client.Client) error {
	for pulse, err := range c.Pulses(ctx) {
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if _, err := fmt.Printf("%s\n", pulse.Raw); err != nil {
			return err
		}
	}
	return nil
}

// errorsCommand lists or replays dead letters.
func errorsCommand(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "list" && args[0] != "replay" {
		return errUsage
	}
	what := args[0]
	c, args, err := asking(flags("errors"), args[1:], once, 1, 1)
	if err != nil {
		return err
	}
	stream := args[0]
	if what == "replay" {
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
