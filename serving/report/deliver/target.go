package deliver

import (
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// MaxTargets bounds the recipients of one report: beyond it a mailing list does better.
const MaxTargets = 50

// Target is one recipient.
type Target struct {
	Kind    Kind
	Address string   // of a mail
	URL     *url.URL // of a webhook
	Bucket  string   // of S3
	Path    string   // of a file or S3 object, a pattern: see Place
}

// Parse reads recipients separated by commas: mailto:ada@example.org, https://host/path,
// file:path, s3://bucket/path. After a mailto: further addresses need no scheme.
func Parse(text string) ([]Target, error) {
	var targets []Target
	last := Kind("")
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			return nil, fmt.Errorf("a recipient is empty; write mailto:…, https://…, file:… or s3://…, by commas")
		}
		if last == Mail && !strings.Contains(item, ":") && strings.Contains(item, "@") {
			item = "mailto:" + item
		}
		t, err := parseOne(item)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(targets, func(o Target) bool { return o.full() == t.full() }) {
			return nil, fmt.Errorf("%s is there twice", t)
		}
		targets, last = append(targets, t), t.Kind
		if len(targets) > MaxTargets {
			return nil, fmt.Errorf("there are more than %d recipients; send to a mailing list", MaxTargets)
		}
	}
	return targets, nil
}

func parseOne(item string) (Target, error) {
	scheme, rest, _ := strings.Cut(item, ":")
	switch strings.ToLower(scheme) {
	case "mailto":
		return parseMail(rest)
	case "https", "http":
		return parseWebhook(item)
	case "file":
		t := Target{Kind: File, Path: rest}
		return t, checkPath(t.Path)
	case "s3":
		bucket, key, _ := strings.Cut(strings.TrimPrefix(rest, "//"), "/")
		t := Target{Kind: S3, Bucket: bucket, Path: key}
		if !strings.HasPrefix(rest, "//") || !bucketName.MatchString(bucket) {
			return t, fmt.Errorf("%q is not s3://bucket/path; credentials belong into the configuration", item)
		}
		return t, checkPath(key)
	}
	return Target{}, fmt.Errorf("%q begins with no known scheme; write mailto:…, https://…, file:… or s3://…", shorten(item))
}

// bucketName is S3's rule.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// shorten keeps what may be a secret out of an error.
func shorten(item string) string {
	if len(item) > 12 {
		return item[:12] + "…"
	}
	return item
}

func parseMail(address string) (Target, error) {
	a, err := mail.ParseAddress(address)
	if err != nil || a.Address != address || strings.ContainsAny(address, "?%<> \r\n") {
		return Target{}, fmt.Errorf("%q is not a mail address like ada@example.org", address)
	}
	return Target{Kind: Mail, Address: address}, nil
}

func parseWebhook(item string) (Target, error) {
	u, err := url.Parse(item)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return Target{}, fmt.Errorf("%s is not the address of a webhook, https://host/path", shorten(item))
	case u.User != nil:
		return Target{}, fmt.Errorf("the webhook on %s has a user in its address; what it gets is signed by reports.webhook_secret instead", u.Host)
	case u.Fragment != "":
		return Target{}, fmt.Errorf("the webhook on %s has a fragment in its address; leave it out", u.Host)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return Target{}, fmt.Errorf("the webhook on %s is http; beyond this machine it must be https", u.Host)
	}
	return Target{Kind: Webhook, URL: u}, nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// full is the whole target, secrets included.
func (t Target) full() string {
	if t.URL != nil {
		return t.URL.String()
	}
	return t.String()
}

// String is the target as people may see it: of a webhook the host only, since its path is
// often what lets one in.
func (t Target) String() string {
	switch t.Kind {
	case Mail:
		return "mailto:" + t.Address
	case Webhook:
		if t.URL.Path == "" && t.URL.RawQuery == "" {
			return t.URL.Scheme + "://" + t.URL.Host
		}
		return t.URL.Scheme + "://" + t.URL.Host + "/…"
	case S3:
		return "s3://" + t.Bucket + "/" + t.Path
	}
	return "file:" + t.Path
}

// MaxPathBytes bounds the pattern of a file.
const MaxPathBytes = 400

// places are what a pattern may have in braces.
var places = []string{"{report}", "{date}", "{time}", "{run}"}

var braces = regexp.MustCompile(`\{[^}]*\}?|\}`)

// checkPath refuses a pattern that could leave its directory, or that is none.
func checkPath(pattern string) error {
	const example = "; write a path such as daily/{report}-{date}.csv"
	for _, b := range braces.FindAllString(pattern, -1) {
		if !slices.Contains(places, b) {
			return fmt.Errorf("%q in the path %q means nothing; there are %s", b, pattern, strings.Join(places, ", "))
		}
	}
	switch {
	case pattern == "" || strings.HasSuffix(pattern, "/"):
		return fmt.Errorf("the path %q names no file%s", pattern, example)
	case len(pattern) > MaxPathBytes:
		return fmt.Errorf("the path has more than %d bytes", MaxPathBytes)
	case strings.ContainsAny(pattern, "\\\x00\r\n"):
		return fmt.Errorf("the path %q has a character that no file's name should have%s", pattern, example)
	case path.IsAbs(pattern):
		return fmt.Errorf("the path %q is absolute; files are written below reports.dir only%s", pattern, example)
	case path.Clean(pattern) != pattern:
		return fmt.Errorf("the path %q is not plain%s", pattern, example)
	}
	for part := range strings.SplitSeq(pattern, "/") {
		if part[0] == '.' {
			return fmt.Errorf("the path %q has a part that begins with a dot%s", pattern, example)
		}
	}
	return nil
}

// place fills the pattern of a target's path: {report}, the {date} and {time} of the tick in
// the report's zone, and the {run}'s id.
func (t Target) place(m *Message) string {
	return strings.NewReplacer("{report}", m.Report, "{date}", m.Tick.Format(time.DateOnly), "{time}", m.Tick.Format("150405"), "{run}", m.Run).Replace(t.Path)
}
