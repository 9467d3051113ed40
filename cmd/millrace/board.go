package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/cmd/millrace/shell"
	"github.com/millrace/millrace/cmd/millrace/tabular"
	"github.com/millrace/millrace/serving/client"
)

// maxMembers bounds the members of one command line; the server has a bound of its own.
const maxMembers = 10_000

// leaderboardCommand asks leaderboards.
func leaderboardCommand(ctx context.Context, args []string) error {
	fs := flags("leaderboard")
	n := fs.Int("n", 0, "members of a page, or on either side; 0: the server's default")
	after := fs.String("after", "", "the cursor of the page before, as it was printed")
	window := fs.String("window", "", "such as all, day or week; default: all, or the board's first")
	at := fs.String("at", "", "a time in a past window: a date or RFC 3339")
	wait := fs.Duration("wait", 0, "wait until the answer is complete, for at most so long, such as 1s")
	asJSON := fs.Bool("json", false, "print the answer as JSON")
	c, args, err := asking(fs, args, once, 0, maxMembers)
	if err != nil {
		return err
	}
	scope := client.Scope{Window: *window, Wait: *wait}
	if *at != "" {
		if scope.At, err = parseInstant(*at); err != nil {
			return fmt.Errorf("--at: %w", err)
		}
	}
	what := "list"
	if len(args) > 0 {
		what, args = args[0], args[1:]
	}
	var answer any
	switch {
	case what == "list" && len(args) == 0:
		answer, err = c.Boards(ctx)
	case what == "top" && len(args) == 1:
		answer, err = c.Top(ctx, args[0], client.TopQuery{Scope: scope, N: *n, After: *after})
	case what == "rank" && len(args) == 2:
		answer, err = c.Rank(ctx, args[0], args[1], scope)
	case what == "around" && len(args) == 2:
		answer, err = c.Around(ctx, args[0], args[1], *n, scope)
	case what == "members" && len(args) > 1:
		answer, err = c.Members(ctx, args[0], args[1:], scope)
	default:
		return errUsage
	}
	switch {
	case err != nil:
		return err
	case *asJSON:
		return json.NewEncoder(os.Stdout).Encode(answer)
	}
	return printBoard(answer)
}

// parseInstant reads a time of an argument.
func parseInstant(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time; use RFC 3339 (2026-01-31T12:00:00Z) or a date", s)
}

// printBoard draws an answer about leaderboards.
func printBoard(answer any) error {
	switch a := answer.(type) {
	case []client.Board:
		t := newTable("name", "stream", "member", "score", "order", "ties", "windows")
		for _, b := range a {
			t.add(b.Name, b.Stream, b.Member, b.Score, b.Order, b.Tie, strings.Join(b.Windows, ", "))
		}
		return t.print("")
	case *client.Rank:
		t := newTable(">rank", "member", ">score")
		t.add(rowOf(a.Place)...)
		among := fmt.Sprintf("of %s", shell.Count(int(a.Members), "member"))
		if a.Percentile != nil {
			among += ", better than or as good as " + strconv.FormatFloat(*a.Percentile, 'f', 2, 64) + " % of them"
		}
		return t.print(among + spanOf(a.Window) + " · " + shell.Made(a.Source))
	case *client.Standing:
		friends := len(a.Rows) > 0 && slices.ContainsFunc(a.Rows, func(p client.Place) bool { return p.Among != nil })
		t := newTable(">rank", "member", ">score")
		if friends {
			t = newTable(">among them", ">rank", "member", ">score")
		}
		for _, p := range a.Rows {
			row := rowOf(p)
			if friends {
				row = append([]string{number(p.Among)}, row...)
			}
			t.add(row...)
		}
		if err := t.print(shell.Count(int(a.Members), "member") + spanOf(a.Window) + " · " + shell.Made(a.Source)); err != nil {
			return err
		}
		if a.Next != "" {
			fmt.Printf("next page: --after %s\n", a.Next)
		}
	}
	return nil
}

func rowOf(p client.Place) []string {
	row := []string{number(p.Rank), string(p.Member), ""}
	if p.Score != nil {
		row[2] = p.Score.String()
	}
	return row
}

func number(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

// spanOf says which window an answer is of.
func spanOf(w client.Window) string {
	switch {
	case w.Start != nil:
		return ", " + w.Name + " from " + w.Start.UTC().Format(time.DateTime)
	case w.Name != "":
		return ", window " + w.Name
	}
	return ""
}

// textTable is a table that a command prints. The name of a column of numbers begins
// with ">". An empty value of such a column is NULL.
type textTable struct{ tabular.Table }

func newTable(names ...string) *textTable {
	t := &textTable{}
	for _, name := range names {
		name, right := strings.CutPrefix(name, ">")
		t.Columns = append(t.Columns, tabular.Column{Name: name, Right: right})
	}
	return t
}

func (t *textTable) add(values ...string) {
	row := make([]tabular.Cell, len(values))
	for i, v := range values {
		row[i] = tabular.Cell{Text: v, Null: v == "" && t.Columns[i].Right}
	}
	t.Rows = append(t.Rows, row)
}

// print draws the table, and a line under it.
func (t *textTable) print(footer string) error {
	if err := t.Draw(os.Stdout, tabular.Style{Width: columns(os.Stdout), Color: isTerminal(os.Stdout) && colours()}); err != nil {
		return err
	}
	if footer != "" {
		fmt.Println(footer)
	}
	return nil
}
