package query

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/format"
	"github.com/millrace/millrace/serving/query/vet"
)

// batchOf builds a batch; the names are constants of this package.
func batchOf(columns ...event.Column) *event.Batch {
	schema, err := event.NewSchema(columns...)
	if err != nil {
		panic(err)
	}
	return event.NewBatch(schema)
}

func textColumns(names ...string) []event.Column {
	columns := make([]event.Column, len(names))
	for i, n := range names {
		columns[i] = event.Column{Name: n, Type: event.Type{Kind: event.String}}
	}
	return columns
}

// texts builds a batch of String columns.
func texts(names []string, rows ...[]string) *event.Batch {
	b := batchOf(textColumns(names...)...)
	for _, row := range rows {
		for i, s := range row {
			b.Columns[i].AppendString([]byte(s))
		}
		b.Rows++
	}
	return b
}

// ownFormats are the formats that are written without the engine, by their names there, so
// that definitions do not need it.
var ownFormats = map[string]string{"JSON": "json", "JSONEachRow": "ndjson", "CSVWithNames": "csv", "ArrowStream": "arrow"}

// answer makes the response of a statement whose answer is at hand.
func (x *Executor) answer(ctx context.Context, r Request, statement string, b *event.Batch, err error) (*Response, error) {
	if err != nil {
		return nil, err
	}
	if name, ok := ownFormats[r.Format]; ok {
		f, err := format.Named(name)
		if err != nil {
			return nil, err
		}
		var text bytes.Buffer
		if err := f.Write(&text, b); err != nil {
			return nil, err
		}
		return &Response{Body: io.NopCloser(&text), Format: r.Format, ContentType: f.ContentType, Header: http.Header{}, Statement: statement, Rows: func() int64 { return int64(b.Rows) }}, nil
	}
	if x.Engine == nil {
		return nil, problem.New(http.StatusNotImplemented, "no-query-engine", "this format needs the query engine", "ask for JSON, JSONEachRow, CSVWithNames or ArrowStream")
	}
	j, err := x.start(ctx)
	if err != nil {
		return nil, err
	}
	const name = "mr_answer"
	session := j.session()
	err = load(j, session, name, b)
	var response *Response
	if err == nil {
		response, err = j.ask(session, r, "SELECT * FROM "+name, statement)
	}
	if err != nil {
		err = j.problem(err)
		j.close()
		return nil, err
	}
	return response, nil
}

// matcher returns what LIKE of a SHOW takes.
func matcher(s *sql.Show) func(name string) bool {
	if s.Like == nil {
		return func(string) bool { return true }
	}
	var b strings.Builder
	b.WriteString("(?s)^")
	if s.AnyCase {
		b.Reset()
		b.WriteString("(?is)^")
	}
	escaped := false
	for _, r := range *s.Like {
		switch {
		case escaped:
			b.WriteString(regexp.QuoteMeta(string(r)))
			escaped = false
		case r == '\\':
			escaped = true
		case r == '%':
			b.WriteString(".*")
		case r == '_':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	b.WriteString("$")
	pattern := regexp.MustCompile(b.String()) // every part of it is quoted or constant
	return func(name string) bool { return pattern.MatchString(name) != s.NotLike }
}

// show answers SHOW, of what the caller may look at.
func (x *Executor) show(p access.Principal, s *sql.Show) (*event.Batch, error) {
	if s.Database != "" && !slices.Contains(databases, s.Database) {
		return nil, &sql.Error{Pos: s.DatabasePos, Msg: fmt.Sprintf("there is no database %q", s.Database), Hint: "there is " + Database}
	}
	like := matcher(s)
	visible := func(name string) bool { return p.May(access.Look, name) && like(name) }
	var rows [][]string
	switch s.What {
	case "DATABASES":
		if like(Database) {
			rows = append(rows, []string{Database})
		}
		return texts([]string{"name"}, rows...), nil
	case "STREAMS":
		for _, t := range x.Catalog.Streams() {
			if visible(t.Plan.Name) {
				rows = append(rows, []string{t.Plan.Name, fmt.Sprint(t.Plan.Partitions), t.Plan.Schema.Columns[t.Plan.EventTime].Name})
			}
		}
		return texts([]string{"name", "partitions", "event_time"}, rows...), nil
	case "VIEWS":
		for _, v := range x.Catalog.Views() {
			if visible(v.Plan.Name) {
				rows = append(rows, []string{v.Plan.Name, v.Plan.Stream.Name, v.Plan.Cron})
			}
		}
		return texts([]string{"name", "stream", "batch"}, rows...), nil
	case "LEADERBOARDS":
		for _, v := range x.Catalog.Leaderboards() {
			if visible(v.Plan.Name) {
				rows = append(rows, []string{v.Plan.Name, v.Plan.Stream.Name, v.Board.Member.Name, v.Board.Score.Name, strings.Join(v.Board.WindowNames(), ", "), v.Plan.Cron})
			}
		}
		return texts([]string{"name", "stream", "member", "score", "windows", "batch"}, rows...), nil
	case "REPORTS":
		return x.showReports(p, like)
	case "TABLES":
		for _, t := range x.tables(p) {
			if like(t.name) {
				rows = append(rows, []string{t.name, t.kind})
			}
		}
		return texts([]string{"name", "kind"}, rows...), nil
	case "FUNCTIONS":
		return functions(like), nil
	}
	return nil, &sql.Error{Pos: s.Pos, Msg: "cannot show " + s.What, Hint: "SHOW STREAMS, VIEWS, LEADERBOARDS, REPORTS, TABLES, FUNCTIONS or DATABASES"}
}

// showReports answers SHOW REPORTS. A report tells of any stream or view, so that only who
// may see all of them sees reports.
func (x *Executor) showReports(p access.Principal, like func(string) bool) (*event.Batch, error) {
	if err := require(p, access.Watch, "to see reports"); err != nil {
		return nil, err
	}
	var rows [][]string
	for _, r := range x.Catalog.Reports() {
		s := r.Statement
		if !like(s.Name) {
			continue
		}
		zone := "UTC"
		if s.Zone != nil {
			zone = fmt.Sprint(s.Zone.Value)
		}
		rows = append(rows, []string{s.Name, fmt.Sprint(s.Schedule.Value), zone, s.Query})
	}
	return texts([]string{"name", "schedule", "time_zone", "query"}, rows...), nil
}

// report returns a report that the caller may know of by its qualified name, nil where there
// is none.
func (x *Executor) report(p access.Principal, database, name string) *catalog.Report {
	if !p.May(access.Watch, "") || database != "" && !slices.Contains(databases, database) {
		return nil
	}
	for _, r := range x.Catalog.Reports() {
		if r.Statement.Name == name {
			return r
		}
	}
	return nil
}

// functions lists what a SELECT may call, and which of it a view may too.
func functions(like func(string) bool) *event.Batch {
	var rows [][]string
	inViews := map[string]bool{}
	add := func(name, kind, usage, where string) {
		if like(name) {
			rows = append(rows, []string{name, kind, usage, where})
		}
	}
	for _, f := range plan.Functions() {
		inViews[f.Name] = true
		add(f.Name, "scalar", f.Usage, "views and queries")
	}
	for _, f := range agg.Known() {
		inViews[f] = true
		add(f, "aggregate", "", "views and queries")
	}
	for _, f := range vet.Functions() {
		if !inViews[f.Name] {
			add(f.Name, f.Kind, "", "queries")
		}
	}
	return texts([]string{"name", "kind", "usage", "used_in"}, rows...)
}

// found returns a stream or view by its qualified name.
func (x *Executor) found(p access.Principal, database, name string) (table, bool) {
	if database != "" && !slices.Contains(databases, database) {
		return table{}, false
	}
	tables := x.tables(p)
	i := slices.IndexFunc(tables, func(t table) bool { return t.name == name })
	if i < 0 {
		return table{}, false
	}
	return tables[i], true
}

func (x *Executor) unknown(p access.Principal, pos sql.Pos, name string) error {
	return &sql.Error{Pos: pos, Msg: fmt.Sprintf("there is no stream or view %q", name), Hint: x.known(p)}
}

// describe answers DESCRIBE in ClickHouse's columns; the comment says what a column is for.
func (x *Executor) describe(p access.Principal, s *sql.Describe) (*event.Batch, error) {
	t, ok := x.found(p, s.Database, s.Name)
	if !ok && x.report(p, s.Database, s.Name) != nil {
		return nil, &sql.Error{Pos: s.Pos, Msg: fmt.Sprintf("%s is a report, which has no columns of its own", s.Name), Hint: "SHOW CREATE REPORT tells its query"}
	}
	if !ok {
		return nil, x.unknown(p, s.Pos, s.Name)
	}
	var rows [][]string
	for _, c := range t.columns {
		rows = append(rows, []string{c.name, c.typ, "", "", c.role, "", ""})
	}
	return texts([]string{"name", "type", "default_type", "default_expression", "comment", "codec_expression", "ttl_expression"}, rows...), nil
}

func (x *Executor) showCreate(p access.Principal, s *sql.ShowCreate) (*event.Batch, error) {
	if r := x.report(p, s.Database, s.Name); r != nil {
		// Its recipients may be addresses that let one in.
		if err := require(p, access.Manage, "to see the statement of a report"); err != nil {
			return nil, err
		}
		return texts([]string{"statement"}, []string{r.SQL}), nil
	}
	t, ok := x.found(p, s.Database, s.Name)
	if !ok {
		return nil, x.unknown(p, s.Pos, s.Name)
	}
	return texts([]string{"statement"}, []string{t.sql}), nil
}

// exists answers EXISTS: 1 or 0.
func (x *Executor) exists(p access.Principal, s *sql.Exists) *event.Batch {
	b := batchOf(event.Column{Name: "result", Type: event.Type{Kind: event.UInt64}})
	_, ok := x.found(p, s.Database, s.Name)
	found := uint64(0)
	if ok || x.report(p, s.Database, s.Name) != nil {
		found = 1
	}
	b.Columns[0].AppendUInt64(found)
	b.Rows++
	return b
}
