// Command pack makes the zip of the Grafana data source: the front end, the back end for
// each platform, and the dashboards. `make plugin` runs it, from the root of the sources.
//
// The one invariant: the zip follows from the sources, the version and the date alone; the
// same give the same bytes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/dashboards/grafana/datasource"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("pack", flag.ContinueOnError)
	version := fs.String("version", "", "version of the plugin, such as 1.2.3")
	platforms := fs.String("platforms", strings.Join(allPlatforms, ","), "operating systems and processors of the back end, by comma")
	out := fs.String("out", "bin", "folder of the zip")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if !versionForm.MatchString(*version) {
		return fmt.Errorf("--version: %q is not one such as 1.2.3", *version)
	}
	built, err := date()
	if err != nil {
		return err
	}
	file := filepath.Join(*out, fmt.Sprintf("%s-%s.zip", datasource.PluginID, *version))
	o := options{version: *version, sources: ".", platforms: strings.Split(*platforms, ","), built: built}
	if err := pack(ctx, file, o); err != nil {
		return err
	}
	fmt.Println(file)
	return nil
}

// date is what the zip says it was made on: SOURCE_DATE_EPOCH where that is set, as in
// reproducible builds, else now. The front end's build goes by it too.
func date() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Now().UTC(), nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %q is not seconds since 1970", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
