package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/cmd/millrace/shell"
	"github.com/millrace/millrace/cmd/millrace/tabular"
	"github.com/millrace/millrace/serving/client"
)

// leaderboardCommand asks leaderboards.
func leaderboardCommand(ctx context.Context, args []string) error {
	fs := flags("leaderboard")
	n := fs.Int("n", 0, "members of a page, or on either side; 0: the server's default")
	after := fs.String("after", "", "the cursor of the page before, as it was printed")
	window := fs.String("window", "", "such as all, day or week; default: the board's first")
	at := fs.String("at", "", "a time in a past window: a date or RFC 3339")
	wait := fs.Duration("wait", 0, "wait until the answer is complete, for at most so long, such as 1s")
	asJSON := fs.Bool("json", false, "print the answer as JSON")
	server := serverFlags(fs, once)
	args, err := parse(fs, args)
	if err != nil {
		return err
	}
	w := client.Window{Name: *window, Wait: *wait}
	if *at != "" {
		if w.At, err = parseInstant(*at); err != nil {
			return fmt.Errorf("--at: %w", err)
		}
	}
	c, err := server()
	if err != nil {
		return err
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
		answer, err = c.Top(ctx, args[0], client.TopQuery{Window: w, N: *n, After: *after})
	case what == "rank" && len(args) == 2:
		answer, err = c.Rank(ctx, args[0], args[1], w)
	case what == "around" && len(args) == 2:
		answer, err = c.Around(ctx, args[0], args[1], *n, w)
	case what == "members" && len(args) > 1:
		answer, err = c.Members(ctx, args[0], args[1:], w)
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
		t := newTable("name", "stream", "order", "windows", "ties", ">members")
		for _, b := range a {
			t.add(b.Name, b.Stream, b.Order, strings.Join(b.Windows, ", "), b.Tie, strconv.FormatInt(b.Members, 10))
		}
		return t.print("")
	case *client.Rank:
		t := newTable(">rank", "member", ">score")
		t.add(strconv.FormatInt(a.Rank, 10), a.Member, a.Score.String())
		return t.print(fmt.Sprintf("of %d members, no worse than %s %% of them%s", a.Members, strconv.FormatFloat(a.Percentile, 'f', -1, 64), made(a.Source)))
	case *client.Standing:
		among := len(a.Rows) > 0 && a.Rows[0].RankAmong != nil
		t := newTable(">rank", "member", ">score")
		if among {
			t = newTable(">among them", ">rank", "member", ">score")
		}
		for _, p := range a.Rows {
			row := []string{number(p.Rank), p.Member, ""}
			if p.Score != nil {
				row[2] = p.Score.String()
			}
			if among {
				row = append([]string{number(p.RankAmong)}, row...)
			}
			t.add(row...)
		}
		if err := t.print(strconv.FormatInt(a.Members, 10) + " members" + spanOf(a) + made(a.Source)); err != nil {
			return err
		}
		if a.Next != "" {
			fmt.Printf("next page: --after %s\n", a.Next)
		}
	}
	return nil
}

func number(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

// spanOf says which window an answer is of.
func spanOf(s *client.Standing) string {
	switch {
	case s.Start != nil:
		return ", " + s.Window + " from " + s.Start.Format(time.RFC3339)
	case s.Window != "":
		return ", window " + s.Window
	}
	return ""
}

// made says what an answer is made of.
func made(s *client.Source) string {
	if s == nil {
		return ""
	}
	return " · " + shell.Made(*s)
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
