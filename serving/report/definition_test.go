package report

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/report/deliver"
)

func statement(t testing.TB, text string) *sql.CreateReport {
	t.Helper()
	statements, err := sql.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return statements[0].(*sql.CreateReport)
}

func definition(t testing.TB, text string) *Definition {
	t.Helper()
	d, err := Compile(statement(t, text))
	if err != nil {
		t.Fatal(err)
	}
	d.ID, d.Created = d.Name+".1", time.Now()
	return d
}

func TestCompile(t *testing.T) {
	d := definition(t, `CREATE REPORT daily SCHEDULE '0 8 * * *' TIME ZONE 'Europe/Berlin' AS SELECT 1
		WITH (format = 'XLSX', chart = 'bar', missed = 'skip', title = 'Daily', max_bytes = 1000, max_rows = 7,
		deliver = 'mailto:a@b.example, c@d.example, https://hooks.example/x?token=secret, file:a/{report}-{date}-{time}-{run}.xlsx, s3://bucket/a/b.xlsx')`)
	if d.Format.Name != "xlsx" || d.Chart != "bar" || d.Missed != Skip || d.Title != "Daily" || d.MaxBytes != 1000 || d.MaxRows != 7 || d.Schedule.Zone.String() != "Europe/Berlin" {
		t.Errorf("%+v", d)
	}
	want := "mailto:a@b.example mailto:c@d.example https://hooks.example/… file:a/{report}-{date}-{time}-{run}.xlsx s3://bucket/a/b.xlsx"
	if got := strings.Join(d.Recipients(), " "); got != want {
		t.Errorf("recipients %s", got)
	}
	if public := Public(d.Statement); strings.Contains(public, "secret") || !strings.Contains(public, "hooks.example/…") {
		t.Errorf("public: %s", public)
	}
	d = definition(t, "CREATE REPORT d SCHEDULE '@daily' AS SELECT 1")
	if d.Format.Name != "html" || d.Missed != RunLast || d.Title != "d" || d.MaxBytes != defaultBytes || d.MaxRows != defaultPageRows || d.Schedule.Zone != time.UTC || len(d.Targets) != 0 {
		t.Errorf("defaults: %+v", d)
	}
}

// Each refusal stands at the value that is wrong, which is marked by ^ before it.
func TestRefusals(t *testing.T) {
	with := func(options string) string {
		return "CREATE REPORT r SCHEDULE '@daily'\nAS SELECT 1\nWITH (" + options + ")"
	}
	for _, c := range []struct{ text, says string }{
		{"CREATE REPORT ^`a/b` SCHEDULE '@daily' AS SELECT 1", "cannot be the name"},
		{"CREATE REPORT r SCHEDULE ^'0 8 * *' AS SELECT 1", "is not a schedule: expected exactly 5 fields"},
		{"CREATE REPORT r SCHEDULE ^'61 * * * *' AS SELECT 1", "above maximum (59)"},
		{"CREATE REPORT r SCHEDULE ^'@every 5m' AS SELECT 1", "write '*/5 * * * *'"},
		{"CREATE REPORT r SCHEDULE ^'CRON_TZ=Europe/Berlin 0 8 * * *' AS SELECT 1", "TIME ZONE 'Europe/Berlin'"},
		{"CREATE REPORT r SCHEDULE ^'0 0 31 2 *' AS SELECT 1", "no day of the next years"},
		{"CREATE REPORT r SCHEDULE '@daily' TIME ZONE\n^'Berlin' AS SELECT 1", "is not a time zone; use a name of the IANA database"},
		{"CREATE REPORT r SCHEDULE '@daily' TIME ZONE ^'Local' AS SELECT 1", "is not a time zone"},
		{with("^frmat = 'csv'"), "did you mean format?"},
		{with("^x = 'csv'"), "there are format, chart, deliver"},
		{with("format = 'csv', ^format = 'csv'"), "there twice"},
		{with("format = ^'doc'"), "use one of 'html', 'csv', 'xlsx', 'parquet', 'pdf', 'json'"},
		{with("format = ^1"), "1 is not a string; put it in single quotes"},
		{with("chart = ^'pie'"), "use one of 'line', 'bar', 'table'"},
		{with("format = 'csv', chart = ^'bar'"), "a chart cannot be in a document of format csv"},
		{with("missed = ^'never'"), "use one of 'run_last', 'skip', 'run_all'"},
		{with("title = ^''"), "a title is one line"},
		{with(`title = ^'a\nBcc: eve@example.org'`), "a title is one line"},
		{with("max_rows = ^0"), "from 1 to 1000000"},
		{with("max_bytes = ^'much'"), "from 1 to 67108864"},
		{with("deliver = ^''"), "a recipient is empty"},
		{with("deliver = ^'mailto:a@b.example,,'"), "a recipient is empty"},
		{with("deliver = ^'mailto:ada'"), `"ada" is not a mail address`},
		{with("deliver = ^'mailto:a@b.example?bcc=eve@b.example'"), "is not a mail address"},
		{with(`deliver = ^'mailto:a@b.example\r\nBcc: x@y'`), "is not a mail address"},
		{with("deliver = ^'mailto:a@b.example, a@b.example'"), "is there twice"},
		{with("deliver = ^'http://example.org/x'"), "is http; beyond this machine it must be https"},
		{with("deliver = ^'https://user:hunter2@example.org/x'"), "has a user in its address"},
		{with("deliver = ^'https:///x'"), "is not the address of a webhook"},
		{with("deliver = ^'ftp://example.org/hunter2'"), "begins with no known scheme"},
		{with("deliver = ^'file:/etc/passwd'"), "is absolute"},
		{with("deliver = ^'file:../x'"), "begins with a dot"},
		{with("deliver = ^'file:a//b'"), "is not plain"},
		{with("deliver = ^'file:'"), "names no file"},
		{with("deliver = ^'file:a/'"), "names no file"},
		{with("deliver = ^'file:{day}.csv'"), `"{day}" in the path`},
		{with("deliver = ^'s3://B/x'"), "is not s3://bucket/path"},
		{with("deliver = ^'s3://bucket'"), "names no file"},
	} {
		at := strings.Index(c.text, "^")
		text := strings.Replace(c.text, "^", "", 1)
		line := 1 + strings.Count(text[:at], "\n")
		column := at - strings.LastIndex(text[:at], "\n")
		_, err := Compile(statement(t, text))
		var e *sql.Error
		if !errors.As(err, &e) || !strings.Contains(e.Error(), c.says) {
			t.Errorf("%s:\n got %v\nwant %s", text, err, c.says)
			continue
		}
		if e.Pos.Line != line || e.Pos.Column != column {
			t.Errorf("%s: at %d:%d, want %d:%d", text, e.Pos.Line, e.Pos.Column, line, column)
		}
		if strings.Contains(e.Error(), "hunter2") {
			t.Errorf("a secret is in %v", e)
		}
	}
}

func TestRecipientsNeedTheirConfiguration(t *testing.T) {
	c, err := deliver.New(deliver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for to, says := range map[string]string{"mailto:a@b.example": "set smtp.host", "file:x": "set reports.dir", "s3://bucket/x": "set reports.s3.access_key", "https://example.org": ""} {
		err := definition(t, "CREATE REPORT r SCHEDULE '@daily' AS SELECT 1 WITH (deliver = '"+to+"')").CheckTargets(c)
		var e *sql.Error
		if says == "" && err != nil || says != "" && (!errors.As(err, &e) || !strings.Contains(err.Error(), says) || e.Pos.Column != 63) {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// TestDryRunKeepsPlaces: what stands at a place of the query stands there in the dry run.
func TestDryRunKeepsPlaces(t *testing.T) {
	for _, text := range []string{
		"CREATE REPORT r SCHEDULE '@daily' AS SELECT here FROM t",
		"CREATE REPORT r SCHEDULE '@daily'\nTIME ZONE 'UTC'\n\n  AS SELECT 1,\n here FROM t WITH (format = 'csv')",
		"\n\n\nCREATE REPORT r SCHEDULE '@daily' AS SELECT here -- a comment",
	} {
		dry := definition(t, text).DryRun()
		place := func(s string) (line, column int) {
			at := strings.Index(s, "here")
			return strings.Count(s[:at], "\n"), at - strings.LastIndex(s[:at], "\n")
		}
		wantLine, wantColumn := place(text)
		if line, column := place(dry); line != wantLine || column != wantColumn {
			t.Errorf("%q gives %q: %d:%d, want %d:%d", text, dry, line, column, wantLine, wantColumn)
		}
		if !strings.HasPrefix(dry, "SELECT * FROM (") || !strings.HasSuffix(dry, "\n) LIMIT 0") {
			t.Errorf("dry run %q", dry)
		}
	}
}

func TestPublicText(t *testing.T) {
	for text, want := range map[string]string{
		"create report r … deliver = 'https://h.example/services/T0/secret?x=secret, mailto:a@b.example'": "create report r … deliver = 'https://h.example/…, mailto:a@b.example'",
		"SELECT 'https://h.example/page'": "SELECT 'https://h.example/page'",
	} {
		if got := PublicText(text); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
