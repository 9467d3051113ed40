package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/parquet/file"

	"github.com/millrace/millrace/serving/client"
	"github.com/millrace/millrace/serving/report/deliver/mailtest"
)

const reportsFixture = `
CREATE STREAM shop (ts DateTime64(3), page String, price Float64) WITH (event_time = 'ts');
CREATE VIEW takings AS SELECT page, count() AS sales, sum(price) AS revenue FROM shop GROUP BY page, tumble(ts, INTERVAL 1 HOUR);`

const reportsRows = `{"ts":"2026-01-31T08:00:00Z","page":"/tea","price":4.5}
{"ts":"2026-01-31T08:10:00Z","page":"/tea","price":5.5}
{"ts":"2026-01-31T09:00:00Z","page":"/cake","price":3.25}
`

// shopReport is a report of the fixture's view.
func shopReport(name, options string) string {
	return "CREATE REPORT " + name + " SCHEDULE '0 8 1 1 *' TIME ZONE 'Europe/Berlin' AS SELECT page, sum(sales) AS sales, sum(revenue) AS revenue FROM takings GROUP BY page ORDER BY sales DESC WITH (" + options + ")"
}

// TestReportsReachTheirRecipients runs reports of every format on the real appliance, which
// sends them by mail, posts them and writes them; then a recipient unsubscribes by the mail's
// own link. No secret of all this is in an answer, a log or the ledger.
func TestReportsReachTheirRecipients(t *testing.T) {
	const smtpPassword, webhookSecret, hookPath = "smtp-hunter2", "hook-hunter2", "path-hunter2"
	box := mailtest.Start(t, mailtest.Options{Username: "millrace", Password: smtpPassword})
	var mu sync.Mutex
	posted, refusals := map[string][]byte{}, 2
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if refusals > 0 {
			refusals--
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		posted[r.Header.Get("Idempotency-Key")] = body
	}))
	defer hook.Close()
	out := t.TempDir()
	s := newServer(t, "--log.level", "debug", "--reports.dir", out, "--reports.public_url", "https://millrace.example", "--reports.webhook_secret", webhookSecret,
		"--smtp.host", "127.0.0.1", "--smtp.port", fmt.Sprint(box.Port), "--smtp.from", "Millrace <reports@millrace.example>", "--smtp.tls", "none",
		"--smtp.username", "millrace", "--smtp.password", smtpPassword)
	s.sql(reportsFixture)
	if _, _, err := s.post("shop", "application/x-ndjson", []byte(reportsRows), ""); err != nil {
		t.Fatal(err)
	}
	s.sql("SELECT count() FROM takings")
	c, err := client.New(s.url, client.Options{})
	if err != nil {
		t.Fatal(err)
	}

	open := map[string]func(t *testing.T, document []byte) (rows int){
		"html":    func(t *testing.T, d []byte) int { return strings.Count(string(d), "/tea") },
		"csv":     rowsOfCSV,
		"json":    rowsOfJSON,
		"parquet": rowsOfParquet,
		"pdf": func(_ *testing.T, d []byte) int {
			if bytes.HasPrefix(d, []byte("%PDF-")) {
				return 2
			}
			return 0
		},
		"xlsx": func(_ *testing.T, d []byte) int {
			if bytes.HasPrefix(d, []byte("PK\x03\x04")) {
				return 2
			}
			return 0
		},
	}
	for format, rows := range open {
		chart := ", chart = 'bar'"
		if format == "csv" || format == "json" || format == "parquet" {
			chart = ""
		}
		s.sql(shopReport("by_"+format, fmt.Sprintf("title = 'Sales, as %s', format = '%s', deliver = 'mailto:ada@b.example, %s/%s, file:{report}.%s'%s", format, format, hook.URL, hookPath, format, chart)))
		before := len(box.Received())
		run, err := c.RunReport(t.Context(), "by_"+format)
		if err != nil {
			t.Fatal(err)
		}
		if run.Rows != 2 || run.Error != "" || len(run.Deliveries) != 3 || run.Deliveries[0].State != "delivered" || run.Deliveries[2].State != "delivered" {
			t.Fatalf("%s: %+v", format, run)
		}
		document, err := c.ReportDocument(t.Context(), "by_"+format, run.ID)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(document.Body)
		_ = document.Body.Close()
		if err != nil || rows(t, content) < 1 || int64(len(content)) != run.Bytes {
			t.Errorf("%s: %d bytes, %v: %.200q", format, len(content), err, content)
		}
		if written, err := os.ReadFile(filepath.Join(out, "by_"+format+"."+format)); err != nil || !bytes.Equal(written, content) {
			t.Errorf("%s: the file has %d bytes, the document %d; %v", format, len(written), len(content), err)
		}
		mails := box.Received()[before:]
		if len(mails) != 1 || mails[0].To != "ada@b.example" {
			t.Fatalf("%s: mails %+v", format, mails)
		}
		checkMail(t, format, chart != "", content, mails[0])
	}

	// The webhook refused twice: those are retried, and told as waiting until then.
	waiting := 0
	for format := range open {
		runs, err := c.ReportRuns(t.Context(), "by_"+format, 1)
		if err != nil || len(runs) != 1 {
			t.Fatalf("%v, %v", runs, err)
		}
		if v := runs[0].Deliveries[1]; v.State == "waiting" && v.NextAttempt != nil && strings.Contains(v.Error, "429 Too Many Requests") {
			waiting++
		} else if v.State != "delivered" {
			t.Errorf("%s: %+v", format, v)
		}
	}
	mu.Lock()
	if waiting != 2 || len(posted) != len(open)-2 {
		t.Errorf("%d wait, %d are posted", waiting, len(posted))
	}
	mu.Unlock()

	unsubscribeByLink(t, s, c, box)
	wantNoSecrets(t, s, smtpPassword, webhookSecret, hookPath)
}

func rowsOfCSV(t *testing.T, d []byte) int {
	rows, err := csv.NewReader(bytes.NewReader(d)).ReadAll()
	if err != nil || len(rows) != 3 || strings.Join(rows[1], "|") != "/tea|2|10" {
		t.Errorf("csv: %q, %v", rows, err)
	}
	return len(rows) - 1
}

func rowsOfJSON(t *testing.T, d []byte) int {
	var answer struct{ Data []map[string]any }
	if err := json.Unmarshal(d, &answer); err != nil || answer.Data[0]["revenue"] != 10.0 {
		t.Errorf("json: %s, %v", d, err)
	}
	return len(answer.Data)
}

func rowsOfParquet(t *testing.T, d []byte) int {
	r, err := file.NewParquetReader(bytes.NewReader(d))
	if err != nil {
		t.Errorf("parquet: %v", err)
		return 0
	}
	defer r.Close()
	return int(r.NumRows())
}

// checkMail reads a report's mail: its page, its chart and its attachment.
func checkMail(t *testing.T, format string, chart bool, document []byte, m mailtest.Received) {
	t.Helper()
	h, parts := mailtest.Read(t, m.Data)
	subject, err := h.Subject()
	if err != nil || subject != "Sales, as "+format {
		t.Errorf("%s: subject %q, %v", format, subject, err)
	}
	page := parts["text/html"]
	if !strings.Contains(page, "Sales, as "+format) || parts["text/plain"] == "" {
		t.Errorf("%s: page %.300q, text %.100q", format, page, parts["text/plain"])
	}
	picture := ""
	attachment := ""
	for name, content := range parts {
		if id, ok := strings.CutPrefix(name, "image/png <"); ok && strings.HasPrefix(content, "\x89PNG") {
			picture = strings.TrimSuffix(id, ">")
		}
		if strings.HasPrefix(name, "attachment by_"+format+"-") && strings.HasSuffix(name, "."+format) {
			attachment = content
		}
	}
	if chart && (picture == "" || !strings.Contains(page, "cid:"+picture)) {
		t.Errorf("%s: there is no chart in the page; parts %d", format, len(parts))
	}
	if attached := format != "html"; attached && attachment != string(document) || !attached && attachment != "" {
		t.Errorf("%s: the attachment has %d bytes, the document %d", format, len(attachment), len(document))
	}
}

// unsubscribeByLink follows the link of a mail as a mail program does.
func unsubscribeByLink(t *testing.T, s *server, c *client.Client, box *mailtest.Server) {
	t.Helper()
	mails := box.Received()
	h, _ := mailtest.Read(t, mails[len(mails)-1].Data)
	link := strings.Trim(h.Get("List-Unsubscribe"), "<>")
	if h.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" || !strings.HasPrefix(link, "https://millrace.example/unsubscribe/by_") {
		t.Fatalf("link %q", link)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/unsubscribe/")
	ask := func(method, target string) (int, string) {
		status, body, err := s.do(t.Context(), method, target, "application/x-www-form-urlencoded", []byte("List-Unsubscribe=One-Click"), "Origin", "https://mail.example")
		if err != nil {
			t.Fatal(err)
		}
		return status, string(body)
	}
	deliveries := func() string {
		run, err := c.RunReport(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return run.Deliveries[0].State
	}
	if status, page := ask(http.MethodGet, u.RequestURI()); status != http.StatusOK || !strings.Contains(page, "ada@b.example") || !strings.Contains(page, "<form") {
		t.Errorf("the page: %d %s", status, page)
	}
	if state := deliveries(); state != "delivered" {
		t.Errorf("looking at the page unsubscribed: %s", state)
	}
	q := u.Query()
	q.Set("to", "eve@b.example")
	if status, _ := ask(http.MethodPost, u.Path+"?"+q.Encode()); status != http.StatusNotFound {
		t.Errorf("another's address: %d", status)
	}
	if status, page := ask(http.MethodPost, u.RequestURI()); status != http.StatusOK || !strings.Contains(page, "Unsubscribed") {
		t.Errorf("post: %d %s", status, page)
	}
	s.stop()
	s.start() // it is durable
	before := len(box.Received())
	if state := deliveries(); state != "unsubscribed" || len(box.Received()) != before {
		t.Errorf("after that: %s, %d mails", state, len(box.Received())-before)
	}
}

// wantNoSecrets looks for secrets in the server's log, in whatever it keeps of reports and
// acts, and in its answers to those who may not manage.
func wantNoSecrets(t *testing.T, s *server, secrets ...string) {
	t.Helper()
	reader := s.makeToken("", `{"name":"reader","role":"read"}`)
	texts := map[string]string{}
	for _, path := range []string{"/v1/reports", "/v1/reports/by_csv/runs", "/v1/status", "/metrics"} {
		status, body, err := s.do(t.Context(), http.MethodGet, path, "", nil, "Authorization", "Bearer "+reader)
		if err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %v %s", path, status, err, body)
		}
		texts["GET "+path] = string(body)
	}
	if !strings.Contains(texts["GET /v1/reports"], "ada@b.example") || !strings.Contains(texts["GET /v1/status"], `"reports":[{`) || !strings.Contains(texts["GET /metrics"], "millrace_report_deliveries_total{") {
		t.Error("the answers tell nothing of reports: there is nothing to look through")
	}
	data := s.args[3]
	for _, dir := range []string{filepath.Join(data, "audit"), filepath.Join(data, "lake", "reports")} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			texts[path] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.ReadFile(s.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	texts["log"] = string(log)
	if len(texts) < 10 || !strings.Contains(texts["log"], "report created") {
		t.Errorf("%d texts only, or nothing of reports in the log", len(texts))
	}
	for where, text := range texts {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s has %s in it", where, secret)
			}
		}
	}
}

// receiver is a webhook that holds every request until it is told what becomes of it.
type receiver struct {
	mu       sync.Mutex
	held     map[string]int // requests that wait, by the process that sent them
	lost     int            // requests whose sender went away
	answered map[string]int // by Idempotency-Key
	arrived  chan struct{}
	release  chan struct{}
}

func (v *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	v.mu.Lock()
	v.held[senderOf(r)]++
	v.mu.Unlock()
	v.arrived <- struct{}{}
	select {
	case <-v.release:
	case <-r.Context().Done():
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.held[senderOf(r)]--
	if r.Context().Err() != nil {
		v.lost++
		return
	}
	v.answered[r.Header.Get("Idempotency-Key")]++
}

// senderOf tells processes apart: one of them signs.
func senderOf(r *http.Request) string {
	if r.Header.Get("Millrace-Signature") != "" {
		return "signs"
	}
	return "does not sign"
}

// TestOneRunPerTick has two scheduler processes of their own run six reports at one tick. When
// all are in the middle of a delivery, one process is killed, or stopped for a while. The
// other takes up what was left: each report has one run, and only what was under way in the
// lost process was sent again.
func TestOneRunPerTick(t *testing.T) {
	for name, signals := range map[string][]os.Signal{"across a kill": {syscall.SIGKILL}, "across a pause": {syscall.SIGSTOP, syscall.SIGCONT}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			oneRunPerTick(t, signals)
		})
	}
}

func oneRunPerTick(t *testing.T, signals []os.Signal) {
	const reports = 6
	v := &receiver{held: map[string]int{}, answered: map[string]int{}, arrived: make(chan struct{}, 100), release: make(chan struct{})}
	release := sync.OnceFunc(func() { close(v.release) })
	hook := httptest.NewServer(v)
	defer hook.Close()
	defer release()
	s := newServer(t, "--reports.scheduler", "false")
	// Created early in a minute, so that all of them have the same first tick.
	if left := time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)); left < 10*time.Second {
		time.Sleep(left)
	}
	for i := range reports {
		s.sql(fmt.Sprintf("CREATE REPORT r%d SCHEDULE '* * * * *' AS SELECT %d AS n WITH (format = 'json', missed = 'run_all', deliver = '%s')", i, i, hook.URL))
	}
	processes := map[string]*exec.Cmd{}
	for name, secret := range map[string]string{"signs": "x", "does not sign": ""} {
		cmd := exec.Command(s.args[0], "reports", "schedule", "--url", s.url, "--reports.ledger", "file://"+filepath.Join(s.args[3], "lake", "reports"), "--reports.lease", "3s", "--reports.webhook_secret", secret)
		cmd.Stdout, cmd.Stderr = s.log, s.log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
		processes[name] = cmd
	}
	deadline := time.After(5 * time.Minute)
	await := func(requests int, what string) {
		t.Helper()
		for range requests {
			select {
			case <-v.arrived:
			case <-deadline:
				t.Fatal(what)
			}
		}
	}
	await(reports, "no process began a delivery")
	v.mu.Lock()
	victim := "signs"
	if v.held[victim] == 0 {
		victim = "does not sign"
	}
	lost := v.held[victim]
	t.Logf("held: %v; %s to the process that %s", v.held, signals[0], victim)
	v.mu.Unlock()
	if err := processes[victim].Process.Signal(signals[0]); err != nil {
		t.Fatal(err)
	}
	await(lost, "nobody took up what the other process left")
	release()
	c, err := client.New(s.url, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		attempts := 0
		for i := range reports {
			run := awaitFirstRun(t, c, fmt.Sprintf("r%d", i))
			attempts += run.Attempts
			if run.Deliveries[0].State != "delivered" || run.Attempts != run.Deliveries[0].Attempts {
				t.Errorf("r%d: %+v", i, run)
			}
		}
		if attempts != reports+lost {
			t.Errorf("%d attempts of %d runs, %d of which were lost", attempts, reports, lost)
		}
	}
	check()
	for _, again := range signals[1:] { // it goes on where it was, and must not write
		if err := processes[victim].Process.Signal(again); err != nil {
			t.Fatal(err)
		}
		s.awaitLog("the claim of the run is lost")
		check()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	twice := 0
	for key, n := range v.answered {
		if n > 2 {
			t.Errorf("%s was answered %d times", key, n)
		}
		twice += n - 1
	}
	// A killed process's requests end with it; one that is paused has sent them.
	if v.lost+twice != lost || len(v.answered) < reports {
		t.Errorf("%d requests broke off and %d were sent twice, want %d in all; %d answered", v.lost, twice, lost, len(v.answered))
	}
}

// awaitLog waits until the log says something.
func (s *server) awaitLog(text string) {
	s.t.Helper()
	for range 600 {
		log, err := os.ReadFile(s.log.Name())
		if err != nil {
			s.t.Fatal(err)
		}
		if bytes.Contains(log, []byte(text)) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatalf("the log never says %q", text)
}

// awaitFirstRun waits for the end of a report's first run, of which there is one for its tick.
func awaitFirstRun(t *testing.T, c *client.Client, report string) client.ReportRun {
	t.Helper()
	for range 600 {
		runs, err := c.ReportRuns(t.Context(), report, 0)
		if err != nil {
			t.Fatal(err)
		}
		ticks := map[time.Time]int{}
		for _, r := range runs {
			if ticks[r.Tick]++; ticks[r.Tick] > 1 {
				t.Fatalf("%s: two runs of %s", report, r.Tick)
			}
		}
		if len(runs) > 0 && runs[len(runs)-1].Finished != nil {
			return runs[len(runs)-1]
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s did not end", report)
	return client.ReportRun{}
}

// TestADeadMailServerHoldsUpNothing: with a mail server that greets nobody, reports that wait
// for it delay neither a batch job nor a report that goes elsewhere, and are told as failing.
func TestADeadMailServerHoldsUpNothing(t *testing.T) {
	hang := make(chan struct{})
	box := mailtest.Start(t, mailtest.Options{Hang: hang})
	defer close(hang)
	s := newServer(t, "--reports.dir", t.TempDir(), "--smtp.host", "127.0.0.1", "--smtp.port", fmt.Sprint(box.Port), "--smtp.from", "reports@millrace.example", "--smtp.tls", "none")
	s.sql(reportsFixture)
	if _, _, err := s.post("shop", "application/x-ndjson", []byte(reportsRows), ""); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(s.url, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var hanging sync.WaitGroup
	defer hanging.Wait()
	defer cancel()
	const mails = 12 // more than there are slots for mails
	for i := range mails {
		s.sql(shopReport(fmt.Sprintf("mail%d", i), "format = 'csv', deliver = 'mailto:ada@b.example'"))
		hanging.Go(func() { _, _ = c.RunReport(ctx, fmt.Sprintf("mail%d", i)) })
	}
	for i := range mails { // each has made its document and waits for its recipient
		for try := 0; ; try++ {
			runs, err := c.ReportRuns(t.Context(), fmt.Sprintf("mail%d", i), 1)
			if err != nil || try == 600 {
				t.Fatalf("mail%d: %+v, %v", i, runs, err)
			}
			if len(runs) == 1 && runs[0].State == "running" && runs[0].Document != "" {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	start := time.Now()
	if _, err := c.RunBatch(t.Context(), "takings"); err != nil {
		t.Error(err)
	}
	s.sql(shopReport("elsewhere", "format = 'csv', deliver = 'file:x.csv'"))
	if run, err := c.RunReport(t.Context(), "elsewhere"); err != nil || run.State != "delivered" {
		t.Errorf("%+v, %v", run, err)
	}
	// The mails wait for a minute; anything that waited for them would too.
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("a batch job and a report took %s", took)
	}
	if runs, err := c.ReportRuns(t.Context(), "mail0", 1); err != nil || runs[0].State != "running" {
		t.Errorf("the mail server hangs no more: %+v, %v", runs, err)
	}
}
