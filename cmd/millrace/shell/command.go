package shell

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/cmd/millrace/tabular"
	"github.com/millrace/millrace/serving/client"
)

// command is what begins with a backslash.
type command struct {
	name, args, about string
	run               func(ctx context.Context, s *session, args []string) error
}

// commands lists them in the order of \?. It is a function since \? lists itself.
func commands() []command {
	return []command{
		{`\d`, "[NAME]", "list streams, views and leaderboards; or describe one", describeCommand},
		{`\x`, "[on|off|auto]", "one value a line: always, never, or where columns do not fit", expandedCommand},
		{`\f`, "[FORMAT]", "of answers: " + strings.Join(Formats[:7], ", "), formatCommand},
		{`\rows`, "[N]", "most rows that are drawn; 0: all", rowsCommand},
		{`\wait`, "[SPAN]", "wait so long, such as 1s, for complete answers", waitCommand},
		{`\timing`, "[on|off]", "whether to say how long a statement took", timingCommand},
		{`\?`, "", "this list", helpCommand},
		{`\q`, "", "leave, as Ctrl-D does", func(_ context.Context, s *session, _ []string) error { s.ended = true; return nil }},
	}
}

// commandCandidates are the commands for completion.
func commandCandidates() []candidate {
	var list []candidate
	for _, c := range commands() {
		list = append(list, candidate{c.name, c.about, "commands", c.args == ""})
	}
	return list
}

// command runs an input that begins with a backslash.
func (s *session) command(ctx context.Context, input string) {
	fields := strings.Fields(strings.TrimSuffix(input, ";"))
	if len(fields) == 0 {
		fields = []string{input}
	}
	for _, c := range commands() {
		if c.name != fields[0] {
			continue
		}
		if most := len(strings.Fields(c.args)); len(fields)-1 > most {
			fmt.Fprintln(s.Out, s.paint(red, "error: ")+strings.TrimSpace("it is "+c.name+" "+c.args))
			return
		}
		// The error is printed; the prompt comes back in any case.
		_ = s.cancellable(ctx, func(ctx context.Context) error { return c.run(ctx, s, fields[1:]) }, input, 0)
		return
	}
	fmt.Fprintf(s.Out, "%sthere is no command %s; \\? lists them\n", s.paint(red, "error: "), tabular.Clean(fields[0]))
}

func helpCommand(_ context.Context, s *session, _ []string) error {
	for _, c := range commands() {
		fmt.Fprintf(s.Out, "  %s%s\n", s.paint(bold, fmt.Sprintf("%-22s", c.name+" "+c.args)), c.about)
	}
	fmt.Fprintln(s.Out)
	for _, key := range [][2]string{
		{"Tab", "complete; again: go through what there is"},
		{"Up, Down, Ctrl-R", "earlier statements; a leading blank keeps one out"},
		{"Ctrl-C", "drop the input; cancel the statement that runs"},
		{"Ctrl-D", "leave"},
	} {
		fmt.Fprintf(s.Out, "  %s%s\n", s.paint(bold, fmt.Sprintf("%-22s", key[0])), key[1])
	}
	return nil
}

// describeCommand lists what there is, or describes one of it.
func describeCommand(ctx context.Context, s *session, args []string) error {
	p := s.Printer
	p.Format, p.Timing = "table", false
	if len(args) == 0 {
		return p.Run(ctx, s.server, "SHOW TABLES")
	}
	name := args[0]
	if name[0] != '`' && name[0] != '"' {
		name = quote(name)
	}
	p.Columns = []string{"name", "type", "comment"} // the rest is for other databases
	if err := p.Run(ctx, s.server, "DESCRIBE "+name); err != nil {
		return err
	}
	rows, err := texts(ctx, s.server, "SHOW CREATE "+name, "statement")
	if err != nil {
		return err
	}
	for _, row := range rows {
		fmt.Fprintln(s.Out)
		for line := range strings.Lines(strings.TrimSpace(row[0])) {
			line = tabular.Clean(strings.TrimRight(line, "\r\n"))
			if s.Color {
				line = highlight(line)
			}
			fmt.Fprintln(s.Out, line)
		}
	}
	return nil
}

// choice sets a setting to an argument of a list, or says what it is.
func choice(s *session, what string, setting *string, args, list []string) error {
	if len(args) == 1 {
		if !slices.Contains(list, args[0]) {
			return fmt.Errorf("%s is one of %s", what, strings.Join(list, ", "))
		}
		*setting = args[0]
	}
	say(s, what, *setting)
	return nil
}

func say(s *session, what, is string) { fmt.Fprintf(s.Out, "%s is %s\n", what, is) }

func expandedCommand(_ context.Context, s *session, args []string) error {
	is := string(s.Expanded)
	if len(args) == 0 { // as a switch
		args = []string{string(On)}
		if s.Expanded == On {
			args = []string{string(Auto)}
		}
	}
	err := choice(s, "expanded", &is, args, []string{string(On), string(Off), string(Auto)})
	s.Expanded = Expanded(is)
	return err
}

func formatCommand(_ context.Context, s *session, args []string) error {
	if len(args) == 1 {
		if err := CheckFormat(args[0], true); err != nil {
			return err
		}
	}
	return choice(s, "format", &s.Format, args, Formats)
}

func timingCommand(_ context.Context, s *session, args []string) error {
	is := map[bool]string{true: "on", false: "off"}[s.Timing]
	if len(args) == 0 { // as a switch
		args = []string{map[bool]string{true: "off", false: "on"}[s.Timing]}
	}
	err := choice(s, "timing", &is, args, []string{"on", "off"})
	s.Timing = is == "on"
	return err
}

func rowsCommand(_ context.Context, s *session, args []string) error {
	if len(args) == 1 {
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 0 {
			return fmt.Errorf("rows: %q is not a number of 0 or more", args[0])
		}
		s.Rows = n
	}
	say(s, "rows", strconv.Itoa(s.Rows))
	return nil
}

// longestWait is the server's bound of wait=.
const longestWait = time.Minute

func waitCommand(_ context.Context, s *session, args []string) error {
	if len(args) == 1 {
		d, err := time.ParseDuration(args[0])
		if err != nil || d < 0 || d > longestWait {
			return fmt.Errorf("wait: %q is not a span from 0s to %s", args[0], longestWait)
		}
		s.Wait = d
	}
	say(s, "wait", s.Wait.String())
	return nil
}

var _ Server = (*client.Client)(nil)
