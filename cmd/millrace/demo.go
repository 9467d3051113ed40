package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/term"

	"github.com/millrace/millrace/examples/flights"
	"github.com/millrace/millrace/internal/config"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/npmfetch"
	"github.com/millrace/millrace/lake/parquetfile"
	"github.com/millrace/millrace/serving/client"
)

// flightsFile is the demo's data: 3,000,000 flights with date, delay, distance, origin
// and destination.
var flightsFile = npmfetch.File{
	Package: "vega-datasets@3.2.1", Path: "data/flights-3m.parquet",
	SHA512: "lTSwZA6yq6qSU2YZm+6bqILiIvTPPxn4itir7jPGFmHIdPvUfQ9pCzzcrklYywMJgLUbaIeSkZQdiJd6wBxPug==",
}

// demo runs the appliance on a live replay of real flights.
func demo(ctx context.Context, args []string) error {
	fs := flags("demo")
	load := config.Flags(fs)
	rate := fs.Int("rate", 20_000, "flights a second")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *rate < 1 {
		return fmt.Errorf("--rate: %d is less than 1", *rate)
	}
	// The demo's own defaults come first, so that file, variables and flags still win.
	environ := append([]string{"MILLRACE_DATA_DIR=" + filepath.Join("data", "demo"), "MILLRACE_EPOCH=10s", "MILLRACE_LOG_LEVEL=warn"}, os.Environ()...)
	cfg, err := load(environ)
	if err != nil {
		return err
	}
	if cfg.ReportDir == "" {
		cfg.ReportDir = filepath.Join(cfg.DataDir, "reports")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return fmt.Errorf("find cache directory: %w", err)
	}
	file := filepath.Join(cache, "millrace", "datasets", "flights-3m.parquet")
	if err := npmfetch.Fetch(ctx, flightsFile, file, os.Stderr); err != nil {
		return err
	}
	fmt.Println("starting the appliance; everything it keeps is in", cfg.DataDir)
	return serve(ctx, cfg, newLogger(cfg), func(ctx context.Context, url string) error {
		c, err := client.New(url, client.Options{Token: os.Getenv("MILLRACE_TOKEN"), Retries: sendRetries})
		if err != nil {
			return err
		}
		for _, statements := range []string{flights.SQL, flights.Reports} {
			if _, err := c.Query(ctx, statements, client.SQLOptions{}); err != nil {
				return fmt.Errorf("apply the flights example: %w", err)
			}
		}
		fmt.Printf(`
millrace is up. Look at it in a browser:

  %[1]s                         the console: what flows, how fresh it is, what was refused
  %[1]s/#/leaderboards/busiest  the busiest airports, as they move
  %[2]s                         a report every two minutes, as a page, and one every five, as a workbook

or ask, in another terminal:

  bin/millrace sql --url %[1]s "SELECT airport, sum(flights) AS n FROM airports GROUP BY airport ORDER BY n DESC LIMIT 5"
  bin/millrace sql --url %[1]s      # a shell: Tab completes, \d lists, \? helps
  bin/millrace reports --url %[1]s
  curl '%[1]s/v1/views/routes?order=-flights&limit=5'
  curl '%[1]s/v1/leaderboards/busiest/around/ATL?n=3&window=hour'

and in Grafana (docs/grafana.md), the data source and its dashboards:

  make plugin && unzip -d /var/lib/grafana/plugins bin/millrace-millrace-datasource-*.zip
  cp -r deploy/grafana/provisioning/. /etc/grafana/provisioning/
  # and what deploy/grafana/grafana.env has into Grafana's environment

Ctrl-C stops it cleanly; starting it again resumes.

`, url, cfg.ReportDir)
		r := &replay{client: c, file: file, rate: *rate}
		go r.report(ctx)
		return r.run(ctx)
	})
}

// replay sends the flights of a file for ever, at a rate.
type replay struct {
	client *client.Client
	file   string
	rate   int
}

// tickEvery is how often the replay sends; each time a share of the rate.
const tickEvery = 50 * time.Millisecond

// run replays until ctx ends. It goes on where the stream ended when it last ran.
func (r *replay) run(ctx context.Context) error {
	f, err := os.Open(r.file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	skip, err := r.sent(ctx)
	if err != nil {
		return err
	}
	s := &sender{client: r.client, stream: "flights"}
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		source, err := parquetfile.NewReader(ctx, io.NewSectionReader(f, 0, info.Size()))
		if err != nil {
			return err
		}
		skip %= source.Rows()
		if err := r.pass(ctx, source, s, &skip, ticker.C); err != nil {
			_ = source.Close()
			return err
		}
		if err := source.Close(); err != nil {
			return err
		}
	}
}

// sent asks how many flights the stream has.
func (r *replay) sent(ctx context.Context) (int64, error) {
	a, err := r.client.Query(ctx, "SELECT count() AS n FROM flights", client.SQLOptions{})
	if err != nil {
		return 0, err
	}
	if len(a.Rows) == 1 && len(a.Rows[0]) == 1 {
		if n, ok := a.Rows[0][0].(uint64); ok {
			return int64(n), nil
		}
	}
	return 0, fmt.Errorf("count flights: the answer is %v", a.Rows)
}

// pass sends one pass over the file, but for the first skip rows.
func (r *replay) pass(ctx context.Context, source *parquetfile.Reader, s *sender, skip *int64, tick <-chan time.Time) error {
	var body []byte
	for {
		b, err := source.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if *skip >= int64(b.Rows) {
			*skip -= int64(b.Rows)
			continue
		}
		row := int(*skip)
		*skip = 0
		f, err := flightColumns(b)
		if err != nil {
			return err
		}
		last := time.Now()
		for row < b.Rows {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick:
			}
			now := time.Now()
			n := min(int(float64(r.rate)*min(now.Sub(last), time.Second).Seconds()), b.Rows-row)
			if n == 0 {
				continue
			}
			last = now
			body = f.appendLines(body[:0], row, row+n, now)
			if err := s.post(ctx, "application/x-ndjson", body, 0); err != nil {
				return err
			}
			row += n
		}
	}
}

// flightTable is the columns of a batch of the file.
type flightTable struct {
	date, delay, distance, origin, destination *event.Vector
}

func flightColumns(b *event.Batch) (f flightTable, err error) {
	for name, v := range map[string]**event.Vector{
		"date": &f.date, "delay": &f.delay, "distance": &f.distance, "origin": &f.origin, "destination": &f.destination,
	} {
		i := b.Schema.Index(name)
		if i < 0 {
			return f, fmt.Errorf("the flights file has no column %q", name)
		}
		*v = &b.Columns[i]
	}
	return f, nil
}

// appendLines writes rows as NDJSON. A flight is reported now; its own time moves from
// 2001 to this year, the hour of the day as it was.
func (f flightTable) appendLines(dst []byte, from, to int, now time.Time) []byte {
	scale := int64(1)
	if f.date.Type.Kind == event.DateTime64 {
		scale = event.Pow10[f.date.Type.Precision]
	}
	reported := now.UTC().Format("2006-01-02 15:04:05.000")
	for i := from; i < to; i++ {
		scheduled := time.Unix(event.FloorDiv(f.date.I64[i], scale), 0).UTC()
		scheduled = scheduled.AddDate(now.Year()-scheduled.Year()-1, 0, 0)
		dst = append(dst, `{"reported":"`...)
		dst = append(dst, reported...)
		dst = append(dst, `","scheduled":"`...)
		dst = scheduled.AppendFormat(dst, time.DateTime)
		dst = append(dst, `","origin":"`...)
		dst = append(dst, f.origin.Str.At(i)...)
		dst = append(dst, `","destination":"`...)
		dst = append(dst, f.destination.Str.At(i)...)
		dst = append(dst, `","delay":`...)
		dst = strconv.AppendInt(dst, f.delay.I64[i], 10)
		dst = append(dst, `,"distance":`...)
		dst = strconv.AppendInt(dst, f.distance.I64[i], 10)
		dst = append(dst, "}\n"...)
	}
	return dst
}

// report prints a live line: over itself on a terminal, now and then elsewhere.
func (r *replay) report(ctx context.Context) {
	every, lead, end := time.Second, "\r\033[K", ""
	if !term.IsTerminal(int(os.Stdout.Fd())) {
		every, lead, end = 10*time.Second, "", "\n"
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var events int64
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		s, err := r.client.Status(ctx)
		if err != nil || len(s.Streams) == 0 || len(s.Views) == 0 {
			continue
		}
		now := time.Now()
		lag := int64(0)
		for _, v := range s.Views {
			lag = max(lag, v.LagMillis)
		}
		cut := "none"
		if c := s.Views[0].Cut; c != nil {
			cut = strconv.FormatInt(*c, 10)
		}
		rate := float64(s.Streams[0].Events-events) / now.Sub(last).Seconds()
		fmt.Printf("%s%d flights, %.0f/s, answers at most %d ms behind, %s at generation %d (cut: epoch %s)%s",
			lead, s.Streams[0].Events, rate, lag, s.Views[0].Name, s.Views[0].Generation, cut, end)
		events, last = s.Streams[0].Events, now
	}
}
