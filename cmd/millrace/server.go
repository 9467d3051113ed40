package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/millrace/millrace/serving/client"
)

const (
	defaultURL = "http://127.0.0.1:8080"
	// maxTokenFileBytes bounds a file of a token: a token has some dozens of bytes.
	maxTokenFileBytes = 4 << 10
)

// serverFlags registers --url, --token and --token-file; the returned function gives the
// client after parsing. retries is how often a request that may be repeated is; a person
// at a terminal would rather hear at once.
func serverFlags(fs *flag.FlagSet, retries int) func() (*client.Client, error) {
	address := os.Getenv("MILLRACE_URL")
	if address == "" {
		address = defaultURL
	}
	fs.StringVar(&address, "url", address, "address of the server")
	token := fs.String("token", "", "token; better by --token-file or MILLRACE_TOKEN, as other users can see arguments")
	file := fs.String("token-file", "", "file of the token; - is standard input")
	return func() (*client.Client, error) {
		t := *token
		switch {
		case t != "" && *file != "":
			return nil, errors.New("--token and --token-file: give one of them")
		case *file != "":
			var err error
			if t, err = readToken(*file); err != nil {
				return nil, err
			}
		case t == "":
			t = os.Getenv("MILLRACE_TOKEN")
		}
		return client.New(address, client.Options{Token: t, UserAgent: "millrace/" + version, Retries: retries})
	}
}

// once is the number of retries of commands that a person waits for.
const once = -1

// asking prepares a command that asks a server: it adds the server's flags to those of the
// command, parses, and returns the client and the arguments, which must be as many as
// allowed.
func asking(fs *flag.FlagSet, args []string, retries, least, most int) (*client.Client, []string, error) {
	server := serverFlags(fs, retries)
	args, err := parse(fs, args)
	if err != nil {
		return nil, nil, err
	}
	if len(args) < least || len(args) > most {
		return nil, nil, errUsage
	}
	c, err := server()
	return c, args, err
}

// readToken reads a token from a file.
func readToken(name string) (string, error) {
	in := io.Reader(os.Stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", fmt.Errorf("read token: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxTokenFileBytes))
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fmt.Errorf("read token: %s is empty", name)
	}
	return token, nil
}

// parse parses flags wherever they stand, before, between and behind the arguments, which
// it returns. What follows "--" is arguments.
func parse(fs *flag.FlagSet, args []string) ([]string, error) {
	var out []string
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		rest := fs.Args()
		if parsed := len(args) - len(rest); parsed > 0 && args[parsed-1] == "--" {
			return append(out, rest...), nil
		}
		if len(rest) == 0 {
			return out, nil
		}
		out, args = append(out, rest[0]), rest[1:]
	}
}
