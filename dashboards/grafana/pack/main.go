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
	frontend := fs.String("frontend", "dashboards/grafana/plugin/dist", "folder of the built front end")
	platforms := fs.String("platforms", strings.Join(allPlatforms, ","), "operating systems and processors of the back end, by comma")
	out := fs.String("out", "bin", "folder of the zip")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if !versionForm.MatchString(*version) {
		return fmt.Errorf("--version: %q is not one such as 1.2.3", *version)
	}
	file := filepath.Join(*out, fmt.Sprintf("%s-%s.zip", datasource.PluginID, *version))
	o := options{version: *version, frontend: *frontend, platforms: strings.Split(*platforms, ","), built: time.Now().UTC()}
	if err := pack(ctx, file, o); err != nil {
		return err
	}
	fmt.Println(file)
	return nil
}
