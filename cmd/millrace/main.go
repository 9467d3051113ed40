// Command millrace is the whole appliance and its client: up runs the server, the other
// commands speak to one over HTTP.
//
// The one invariant: this is the only place that reads environment and signals, and the
// only one that may end the process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/millrace/millrace/cmd/millrace/shell"
	"github.com/millrace/millrace/internal/clickhouse/engine"
)

// version is set by the build.
var version = "dev"

// command is one subcommand. run gets the arguments behind the name.
type command struct {
	name, args, about string
	run               func(ctx context.Context, args []string) error
}

var commands = []command{
	{"up", "[--config FILE] [--data DIR] [--listen ADDR] [--epoch 60s]", "run the appliance, embedded by default", up},
	{"demo", "[--rate N]", "run the appliance on a live replay of real flights", demo},
	{"sql", "[-e STATEMENT | -f FILE | STATEMENT]", "run statements; on a terminal without any, a shell", sqlCommand},
	{"ingest", "STREAM [FILE|-]", "send events from NDJSON, JSON, CSV or Parquet", ingest},
	{"batch", "run [VIEW]", "run a view's batch job now (all views without a name)", batchCommand},
	{"rebuild", "VIEW", "recompute a view from the beginning of the lake", rebuild},
	{"status", "[--watch]", "show the state of every layer, or how all does every second", status},
	{"errors", "list|replay STREAM", "show or send again what was refused", errorsCommand},
	{"leaderboard", "[list | top|rank|around|members BOARD …]", "ask leaderboards", leaderboardCommand},
	{"reports", "[list | runs|run NAME | document NAME RUN | schedule]", "show, run and fetch reports; or run them by their schedules", reportsCommand},
	{"token", "create [--data DIR] --role ROLE NAME | list | revoke ID", "make, list or revoke tokens", tokenCommand},
	{"audit", "[--limit N] [--since TIME]", "show who did what, the newest first", auditCommand},
	{"engine", "fetch", "fetch the embedded ClickHouse engine", engineCommand},
	{"doctor", "[--config FILE]", "check every part and say what to do", doctor},
	{"version", "", "print the version", func(context.Context, []string) error { fmt.Println(version); return nil }},
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "engine" && os.Args[2] == "serve" {
		// The engine's child process: started by up, never by hand.
		if err := engine.RunChild(os.Stdin, os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, "millrace engine:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

func run(ctx context.Context, args []string) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(os.Stdout)
		return 0
	}
	for _, c := range commands {
		if c.name != args[0] {
			continue
		}
		err := c.run(ctx, args[1:])
		switch {
		case err == nil || errors.Is(err, flag.ErrHelp):
			return 0
		case errors.Is(err, errUsage):
			fmt.Fprintf(os.Stderr, "usage: millrace %s %s\n", c.name, c.args)
			return 2
		}
		fmt.Fprintf(os.Stderr, "millrace %s: %s\n", c.name, shell.Explain(err))
		return 1
	}
	fmt.Fprintf(os.Stderr, "millrace: unknown command %q\n\n", args[0])
	usage(os.Stderr)
	return 2
}

// errUsage says that the arguments do not fit; run prints the command's own line.
var errUsage = errors.New("wrong arguments")

// synopsisWidth is the column of the synopses in the list of commands.
const synopsisWidth = 44

func usage(w io.Writer) {
	fmt.Fprintln(w, "Millrace: exact, fresh answers over streams of events.\n\nusage: millrace COMMAND [ARGUMENTS]\n ")
	for _, c := range commands {
		synopsis := strings.TrimSpace(c.name + " " + c.args)
		if len(synopsis) > synopsisWidth {
			synopsis += "\n  " + strings.Repeat(" ", synopsisWidth)
		}
		fmt.Fprintf(w, "  %-*s %s\n", synopsisWidth, synopsis, c.about)
	}
	fmt.Fprintln(w, "\nThe commands that speak to a server take --url, or MILLRACE_URL; default "+defaultURL+".\n"+
		"They send the token of --token-file, --token or MILLRACE_TOKEN, where the server asks for one.")
}

// flags makes a flag set that answers a wrong flag by an error, not by exiting.
func flags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet("millrace "+name, flag.ContinueOnError)
	fs.SetOutput(os.Stderr)
	return fs
}
