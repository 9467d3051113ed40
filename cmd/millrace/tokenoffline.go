package main

import (
	"context"
	"fmt"
	"os"

	"github.com/millrace/millrace/cmd/millrace/appliance"
	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/config"
	"github.com/millrace/millrace/serving/auth"
)

// createTokenOffline is token create on the data directory of a server that is stopped: the
// way back in where no admin token is left. The token goes to standard output and what it
// is to standard error, so that a script takes the one.
func createTokenOffline(ctx context.Context, args []string) error {
	fs := flags("token create")
	load := config.Flags(fs)
	role := fs.String("role", string(access.Admin), "ingest, read, sql or admin")
	expires := fs.String("expires", "", "a span such as 720h, or RFC 3339; empty: never")
	var objects []string
	fs.Func("object", "as of token create", func(name string) error { objects = append(objects, name); return nil })
	args, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(args) != 1 {
		return errUsage
	}
	cfg, err := load(os.Environ())
	if err != nil {
		return err
	}
	t, secret, err := appliance.CreateTokenOffline(ctx, cfg, auth.Request{
		Name: args[0], Role: access.Role(*role), Objects: objects, Expires: *expires,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "token %s (%s, role %s), shown only now:\n", t.ID, t.Name, t.Role)
	fmt.Println(secret)
	return nil
}
