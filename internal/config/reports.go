package config

import (
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// Reports is how reports are scheduled and delivered. Secrets belong into the file or the
// environment: other users can see flags.
type Reports struct {
	// ReportScheduler runs reports at their times in this process. Default true. Without it
	// they run where millrace reports schedule runs.
	ReportScheduler bool
	// ReportLedger is where the runs are kept: file:///path. Default empty: reports/ in the lake.
	ReportLedger string
	// ReportLease is how long a process that does not answer keeps its run. Default 30s, 1s to 1h.
	ReportLease time.Duration
	// ReportKeep is how many ended runs of a report are kept, with their documents. Default
	// 50, 1 to 10,000.
	ReportKeep int64
	// ReportDir is the directory below which file: recipients are. Default empty: none.
	ReportDir string
	// PublicURL is the server's address as recipients of mails reach it, for the link to
	// unsubscribe. Default empty: mails have none.
	PublicURL string
	// WebhookSecret signs what webhooks get. Default empty: nothing is signed.
	WebhookSecret string
	// S3Endpoint, S3Region, S3AccessKey and S3SecretKey are of the service of s3: recipients.
	// Default: Amazon's, without keys, which is none.
	S3Endpoint, S3Region, S3AccessKey, S3SecretKey string
	// SMTPHost takes mails. Default empty: none can be sent.
	SMTPHost string
	// SMTPPort is its port. Default 587, 1 to 65535.
	SMTPPort int64
	// SMTPUsername and SMTPPassword; both or neither.
	SMTPUsername, SMTPPassword string
	// SMTPFrom is the sender's address, with or without a name. Needed with SMTPHost.
	SMTPFrom string
	// SMTPTLS is starttls (default), tls from the first byte on, or none, which takes no
	// password but on this machine.
	SMTPTLS string
}

var defaultReports = Reports{
	ReportScheduler: true, ReportLease: 30 * time.Second, ReportKeep: 50, S3Endpoint: "https://s3.amazonaws.com", SMTPPort: 587, SMTPTLS: "starttls",
}

func (r *Reports) keys() []key {
	return []key{
		{"reports.scheduler", "run reports in this process", truth(&r.ReportScheduler)},
		{"reports.ledger", "where runs are kept; empty: reports/ in the lake", text(&r.ReportLedger)},
		{"reports.lease", "how long a process that does not answer keeps its run", duration(&r.ReportLease)},
		{"reports.keep", "ended runs that are kept of a report", integer(&r.ReportKeep)},
		{"reports.dir", "directory of file: recipients; empty: none", text(&r.ReportDir)},
		{"reports.public_url", "the server's address as recipients of mails reach it", text(&r.PublicURL)},
		{"reports.webhook_secret", "signs what webhooks get", text(&r.WebhookSecret)},
		{"reports.s3.endpoint", "address of the S3 service", text(&r.S3Endpoint)},
		{"reports.s3.region", "region of the buckets; empty: asked for", text(&r.S3Region)},
		{"reports.s3.access_key", "access key of the S3 service", text(&r.S3AccessKey)},
		{"reports.s3.secret_key", "its secret key", text(&r.S3SecretKey)},
		{"smtp.host", "server that takes mails; empty: none", text(&r.SMTPHost)},
		{"smtp.port", "its port", integer(&r.SMTPPort)},
		{"smtp.username", "user of the mail server; empty: none is asked for", text(&r.SMTPUsername)},
		{"smtp.password", "the user's password", text(&r.SMTPPassword)},
		{"smtp.from", "sender of mails", text(&r.SMTPFrom)},
		{"smtp.tls", "starttls, tls or none", text(&r.SMTPTLS)},
	}
}

func (r *Reports) validate(fail func(name, format string, args ...any), within func(name string, n, low, high int64), between func(name string, d, low, high time.Duration)) {
	between("reports.lease", r.ReportLease, time.Second, time.Hour)
	within("reports.keep", r.ReportKeep, 1, 10_000)
	within("smtp.port", r.SMTPPort, 1, 65535)
	for name, s := range map[string]string{"reports.public_url": r.PublicURL, "reports.s3.endpoint": r.S3Endpoint} {
		u, err := url.Parse(s)
		if s != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "") {
			fail(name, "%q is not an address like https://millrace.example.org", redact(s))
		}
	}
	if r.ReportLedger != "" && !strings.HasPrefix(r.ReportLedger, "file:///") {
		fail("reports.ledger", "%q is not file:///path", redact(r.ReportLedger))
	}
	if (r.S3AccessKey == "") != (r.S3SecretKey == "") {
		fail("reports.s3.access_key", "and reports.s3.secret_key belong together")
	}
	if (r.SMTPUsername == "") != (r.SMTPPassword == "") {
		fail("smtp.username", "and smtp.password belong together")
	}
	if strings.ContainsAny(r.SMTPHost, "/: \t") && net.ParseIP(r.SMTPHost) == nil {
		fail("smtp.host", "%q is not the name of a host", r.SMTPHost)
	}
	if _, err := mail.ParseAddress(r.SMTPFrom); err != nil && (r.SMTPHost != "" || r.SMTPFrom != "") {
		fail("smtp.from", "%q is not a mail address, such as Millrace <reports@example.org>; smtp.host needs one", r.SMTPFrom)
	}
	switch r.SMTPTLS {
	case "starttls", "tls":
	case "none":
		if r.SMTPUsername != "" && !ownMachine(r.SMTPHost) {
			fail("smtp.tls", "none would send the password in the clear; use starttls or tls")
		}
	default:
		fail("smtp.tls", "%q is not starttls, tls or none", r.SMTPTLS)
	}
}

func ownMachine(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// LedgerDir is where the runs of reports are.
func (c *Config) LedgerDir() string {
	if dir, ok := strings.CutPrefix(c.ReportLedger, "file://"); ok {
		return dir
	}
	return filepath.Join(c.LakeDir(), "reports")
}
