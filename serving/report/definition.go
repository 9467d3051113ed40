package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/report/deliver"
	"github.com/millrace/millrace/serving/report/render"
)

// The limits of a definition's options.
const (
	// maxTitleBytes: it is the subject of mails.
	maxTitleBytes = 200
	// maxBytes of a document: beyond it mail servers refuse, and memory is held by each run.
	maxBytes     = 64 << 20
	defaultBytes = 10 << 20
	// maxRows of a document; defaultPageRows is of one that people read from top to bottom.
	maxRows         = 1_000_000
	defaultRows     = 100_000
	defaultPageRows = 1_000
)

// Definition is a report ready to run. It is immutable.
type Definition struct {
	ID        string // never used again for another report
	Created   time.Time
	Statement *sql.CreateReport
	Name      string
	Schedule  Schedule
	Format    Format
	Chart     render.Chart // empty: none
	Targets   []deliver.Target
	Missed    Policy
	Title     string
	MaxBytes  int64
	MaxRows   int64
}

// Policy says what becomes of ticks at which no process was there.
type Policy string

// The policies.
const (
	RunLast Policy = "run_last" // run the newest once, and note the others
	Skip    Policy = "skip"     // note them all
	RunAll  Policy = "run_all"  // run each, the newest maxCaughtUp of them
)

// Policies lists them.
var Policies = []Policy{RunLast, Skip, RunAll}

// Compile checks a statement, apart from its query, and makes a definition of it. Errors
// are *sql.Error, at the value that is wrong.
func Compile(s *sql.CreateReport) (*Definition, error) {
	if err := plan.CheckName(s.Name, s.NamePos); err != nil {
		return nil, err
	}
	d := &Definition{Statement: s, Name: s.Name, Title: s.Name, Missed: RunLast, Format: formats[0], MaxBytes: defaultBytes}
	var err error
	if d.Schedule, err = parseSchedule(s); err != nil {
		return nil, err
	}
	seen := map[string]sql.Option{}
	for _, o := range s.Options {
		if _, twice := seen[o.Name]; twice {
			return nil, refuse(o.Pos, "", "the option %s is there twice", o.Name)
		}
		seen[o.Name] = o
		set, known := options[o.Name]
		if !known {
			hint := "there are " + strings.Join(optionNames, ", ")
			if near := sql.Nearest(o.Name, optionNames); near != "" {
				hint = fmt.Sprintf("did you mean %s?", near)
			}
			return nil, refuse(o.Pos, hint, "a report has no option %s", sql.QuoteName(o.Name))
		}
		if err := set(d, o.Value); err != nil {
			return nil, err
		}
	}
	if d.Chart != "" && !d.Format.rendered() {
		return nil, refuse(seen["chart"].Value.Pos, "use format 'html', 'pdf' or 'xlsx', or leave the chart out", "a chart cannot be in a document of format %s", d.Format.Name)
	}
	if d.MaxRows == 0 {
		d.MaxRows = d.Format.defaultRows
	}
	return d, nil
}

// option sets one field from the value of an option.
type option func(d *Definition, v sql.Literal) error

// options are those of a report, by name.
var options = map[string]option{
	"format":    func(d *Definition, v sql.Literal) (err error) { d.Format, err = parseFormat(v); return err },
	"chart":     func(d *Definition, v sql.Literal) (err error) { d.Chart, err = parseChart(v); return err },
	"deliver":   func(d *Definition, v sql.Literal) (err error) { d.Targets, err = parseTargets(v); return err },
	"missed":    func(d *Definition, v sql.Literal) (err error) { d.Missed, err = parsePolicy(v); return err },
	"title":     func(d *Definition, v sql.Literal) (err error) { d.Title, err = parseTitle(v); return err },
	"max_bytes": func(d *Definition, v sql.Literal) (err error) { d.MaxBytes, err = parseLimit(v, maxBytes); return err },
	"max_rows":  func(d *Definition, v sql.Literal) (err error) { d.MaxRows, err = parseLimit(v, maxRows); return err },
}

var optionNames = []string{"format", "chart", "deliver", "missed", "title", "max_bytes", "max_rows"}

func refuse(pos sql.Pos, hint, format string, args ...any) *sql.Error {
	return &sql.Error{Pos: pos, Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// text reads a value that must be a string.
func text(v sql.Literal) (string, error) {
	s, ok := v.Value.(string)
	if !ok {
		return "", refuse(v.Pos, "put it in single quotes", "%s is not a string", v.String())
	}
	return s, nil
}

// oneOf reads a value that must be one of a list.
func oneOf[T ~string](v sql.Literal, known []T) (T, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	if i := slices.Index(known, T(strings.ToLower(s))); i >= 0 {
		return known[i], nil
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = "'" + string(k) + "'"
	}
	return "", refuse(v.Pos, "use one of "+strings.Join(names, ", "), "%s is not known here", v.String())
}

func parsePolicy(v sql.Literal) (Policy, error) { return oneOf(v, Policies) }

func parseChart(v sql.Literal) (render.Chart, error) {
	return oneOf(v, []render.Chart{render.ChartLine, render.ChartBar, render.ChartTable})
}

func parseTargets(v sql.Literal) ([]deliver.Target, error) {
	s, err := text(v)
	if err != nil {
		return nil, err
	}
	targets, err := deliver.Parse(s)
	if err != nil {
		return nil, refuse(v.Pos, "", "%s", err)
	}
	return targets, nil
}

func parseTitle(v sql.Literal) (string, error) {
	s, err := text(v)
	switch {
	case err != nil:
		return "", err
	case strings.TrimSpace(s) == "", len(s) > maxTitleBytes, strings.ContainsAny(s, "\r\n\x00"), !utf8.ValidString(s):
		return "", refuse(v.Pos, "", "a title is one line of up to %d bytes", maxTitleBytes)
	}
	return s, nil
}

func parseLimit(v sql.Literal, most int64) (int64, error) {
	n, ok := v.Value.(int64)
	if !ok || n < 1 || n > most {
		return 0, refuse(v.Pos, "", "%s is not a whole number from 1 to %d", v.String(), most)
	}
	return n, nil
}

// CheckTargets refuses recipients that this server cannot deliver to.
func (d *Definition) CheckTargets(c *deliver.Courier) error {
	for _, t := range d.Targets {
		if err := c.Check(t); err != nil {
			return refuse(d.option("deliver").Value.Pos, "", "%s: %s", t, err)
		}
	}
	return nil
}

// CheckColumns refuses a chart that the query's columns do not give.
func (d *Definition) CheckColumns(columns []render.Column) error {
	if d.Chart == "" {
		return nil
	}
	if err := d.Chart.Check(columns); err != nil {
		return refuse(d.option("chart").Value.Pos, "", "%s", err)
	}
	return nil
}

func (d *Definition) option(name string) sql.Option {
	i := slices.IndexFunc(d.Statement.Options, func(o sql.Option) bool { return o.Name == name })
	if i < 0 {
		return sql.Option{Value: sql.Literal{Pos: d.Statement.Pos}}
	}
	return d.Statement.Options[i]
}

// DryRun is a statement that answers with the columns of the query and no row. What the
// engine says of a place in it is of that place in the report's own statement.
func (d *Definition) DryRun() string {
	const head = "SELECT * FROM ("
	at := d.Statement.QueryPos
	lines := strings.Repeat("\n", at.Line-1)
	columns := strings.Repeat(" ", at.Column-1)
	before := max(0, at.Offset-len(head)-len(lines)-len(columns))
	if at.Line == 1 {
		return head + strings.Repeat(" ", at.Offset-len(head)) + d.Statement.Query + "\n) LIMIT 0"
	}
	return head + strings.Repeat(" ", before) + lines + columns + d.Statement.Query + "\n) LIMIT 0"
}

// Recipients are the targets as people may see them.
func (d *Definition) Recipients() []string {
	out := make([]string, len(d.Targets))
	for i, t := range d.Targets {
		out[i] = t.String()
	}
	return out
}

// webhookPath is what follows the host of an address in a text.
var webhookPath = regexp.MustCompile(`(?i)(https?://[^/?#'",\s]+)[/?#][^'",\s]*`)

// PublicText hides the paths of addresses in a text that may define a report, well formed or
// not.
func PublicText(text string) string {
	if !strings.Contains(strings.ToUpper(text), "REPORT") {
		return text
	}
	return webhookPath.ReplaceAllString(text, "$1/…")
}

// Public is the statement without what is secret in its recipients.
func Public(s *sql.CreateReport) string {
	public := *s
	public.Options = slices.Clone(s.Options)
	for i, o := range public.Options {
		if o.Name != "deliver" {
			continue
		}
		public.Options[i].Value.Value = "(hidden)"
		if given, ok := o.Value.Value.(string); ok {
			if targets, err := deliver.Parse(given); err == nil {
				shown := make([]string, len(targets))
				for k, t := range targets {
					shown[k] = t.String()
				}
				public.Options[i].Value.Value = strings.Join(shown, ",")
			}
		}
	}
	return public.String()
}
