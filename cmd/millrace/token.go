package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/serving/client"
)

// tokenCommand makes, lists and revokes tokens.
func tokenCommand(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	switch args[0] {
	case "create":
		if slices.ContainsFunc(args, namesData) {
			return createTokenOffline(ctx, args[1:])
		}
		return createToken(ctx, args[1:])
	case "list":
		return listTokens(ctx, args[1:])
	case "revoke":
		c, ids, err := asking(flags("token revoke"), args[1:], once, 1, 1)
		if err != nil {
			return err
		}
		if err := c.RevokeToken(ctx, ids[0]); err != nil {
			return err
		}
		fmt.Println("revoked", ids[0])
		return nil
	}
	return errUsage
}

// namesData reports whether an argument names the data of a server, which then is stopped,
// rather than a server.
func namesData(arg string) bool {
	flag, isFlag := strings.CutPrefix(arg, "-")
	name, _, _ := strings.Cut(strings.TrimPrefix(flag, "-"), "=")
	return isFlag && (name == "data" || name == "data_dir" || name == "config")
}

// createToken makes a token and prints it, alone on standard output, so that a script can
// keep it; what is said about it goes beside.
func createToken(ctx context.Context, args []string) error {
	fs := flags("token create")
	var t client.NewToken
	fs.StringVar(&t.Role, "role", "", "ingest, read, sql or admin")
	fs.StringVar(&t.Expires, "expires", "", "a span such as 720h, or a time in RFC 3339; default: never")
	fs.Func("object", "a stream that it may append to, or a stream, view or leaderboard that it may read; may be given several times; default: all", func(name string) error {
		t.Objects = append(t.Objects, name)
		return nil
	})
	c, args, err := asking(fs, args, once, 1, 1)
	if err != nil {
		return err
	}
	if t.Role == "" {
		return errUsage
	}
	t.Name = args[0]
	made, err := c.CreateToken(ctx, t)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "token %s (id %s): role %s on %s, %s\nIt is shown only now; the server keeps a hash of it.\n",
		made.Name, made.ID, made.Role, objects(made.Objects), expiry(made.Expires))
	fmt.Println(made.Secret)
	return nil
}

func listTokens(ctx context.Context, args []string) error {
	c, _, err := asking(flags("token list"), args, once, 0, 0)
	if err != nil {
		return err
	}
	tokens, err := c.Tokens(ctx)
	if err != nil {
		return err
	}
	t := newTable("id", "name", "role", "on", "created", "expires", "state")
	for _, k := range tokens {
		state := "valid"
		switch {
		case k.Revoked != nil:
			state = "revoked"
		case k.Expires != nil && k.Expires.Before(time.Now()):
			state = "expired"
		}
		t.add(k.ID, k.Name, k.Role, objects(k.Objects), k.Created.UTC().Format(time.DateTime), strings.TrimPrefix(expiry(k.Expires), "expires "), state)
	}
	return t.print("")
}

func objects(names []string) string {
	if len(names) == 0 {
		return "everything"
	}
	return strings.Join(names, ", ")
}

func expiry(at *time.Time) string {
	if at == nil {
		return "never expires"
	}
	return "expires " + at.UTC().Format(time.DateTime)
}

// auditCommand prints the audit log, as lines of JSON.
func auditCommand(ctx context.Context, args []string) error {
	fs := flags("audit")
	limit := fs.Int("limit", 0, "most entries; 0: the server's default")
	since := fs.String("since", "", "entries from then on: a date, RFC 3339, or a span before now such as 24h")
	c, _, err := asking(fs, args, once, 0, 0)
	if err != nil {
		return err
	}
	q := client.AuditQuery{Limit: *limit}
	if *since != "" {
		if span, err := time.ParseDuration(*since); err == nil {
			q.Since = time.Now().Add(-span)
		} else if q.Since, err = parseInstant(*since); err != nil {
			return fmt.Errorf("--since: %w", err)
		}
	}
	for entry, err := range c.Audit(ctx, q) {
		if err != nil {
			return err
		}
		if _, err := fmt.Printf("%s\n", entry.Raw); err != nil {
			return err
		}
	}
	return nil
}
