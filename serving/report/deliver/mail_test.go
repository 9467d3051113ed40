package deliver

import (
	"context"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/serving/report/deliver/mailtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func message() *Message {
	return &Message{
		Key: "daily.1.20260131T080000Z.0", Report: "daily", Title: "Täglich: Zugriffe", Run: "20260131T080000Z", Tick: time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC),
		Content: []byte("a,b\r\n1,2\r\n"), Name: "daily-2026-01-31T0800.csv", Type: "text/csv; charset=utf-8",
		Page: []byte(`<html><body><p>Grüße</p><img src="cid:chart"></body></html>`), Text: "Grüße\n", Attach: true,
		Images:      []Image{{ID: "chart", Name: "chart.png", Type: "image/png", Data: []byte("\x89PNG\r\n\x1a\nnot really")}},
		Unsubscribe: "https://millrace.example/unsubscribe/daily?proof=p&to=ada%40b.example",
	}
}

func target(t testing.TB, text string) Target {
	t.Helper()
	targets, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return targets[0]
}

func newCourier(t testing.TB, o Options) *Courier {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

const password = "hunter2-the-password"

// settings are those of a server of the test.
func settings(s *mailtest.Server) SMTP {
	return SMTP{Host: "127.0.0.1", Port: s.Port, From: "Millrace <reports@millrace.example>", TLS: "none"}
}

// TestMailIsWhatItShouldBe reads a mail by another library: its headers, both bodies, the
// chart in the page and the attachment.
func TestMailIsWhatItShouldBe(t *testing.T) {
	b := mailtest.Start(t, mailtest.Options{})
	c := newCourier(t, Options{SMTP: settings(b)})
	m := message()
	for range 2 { // as a repetition after a lost confirmation
		if err := c.Deliver(t.Context(), target(t, "mailto:ada@b.example"), m); err != nil {
			t.Fatal(err)
		}
	}
	got := b.Received()
	if len(got) != 2 || got[0].From != "reports@millrace.example" || got[0].To != "ada@b.example" {
		t.Fatalf("received %+v", got)
	}
	ids := map[string]bool{}
	for _, mail := range got {
		h, parts := mailtest.Read(t, mail.Data)
		subject, err := h.Subject()
		if err != nil || subject != m.Title {
			t.Errorf("subject %q, %v", subject, err)
		}
		id, err := h.MessageID()
		if err != nil || !strings.HasPrefix(id, m.Key+"@") {
			t.Errorf("message id %q, %v", id, err)
		}
		ids[id] = true
		for name, want := range map[string]string{
			"List-Unsubscribe": "<" + m.Unsubscribe + ">", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "Auto-Submitted": "auto-generated", "To": "<ada@b.example>",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		for name, want := range map[string]string{"text/plain": m.Text, "text/html": string(m.Page), "image/png <chart>": string(m.Images[0].Data), "attachment " + m.Name: string(m.Content)} {
			if got := strings.ReplaceAll(parts[name], "\r\n", "\n"); got != strings.ReplaceAll(want, "\r\n", "\n") {
				t.Errorf("part %s: %q, want %q; there are %q", name, parts[name], want, parts)
			}
		}
	}
	if len(ids) != 1 {
		t.Errorf("a repetition has another id: %v", ids)
	}
}

func TestMailOverTLSWithAPassword(t *testing.T) {
	cert, pool := mailtest.Certificate(t)
	b := mailtest.Start(t, mailtest.Options{Username: "millrace", Password: password, StartTLS: cert})
	o := settings(b)
	o.TLS, o.Username, o.Password, o.Roots = "starttls", "millrace", password, pool
	if err := newCourier(t, Options{SMTP: o}).Deliver(t.Context(), target(t, "mailto:ada@b.example"), message()); err != nil {
		t.Fatal(err)
	}
	if got := b.Received(); len(got) != 1 {
		t.Fatalf("received %d mails", len(got))
	}
	for name, change := range map[string]func(*SMTP){
		"a wrong password":        func(o *SMTP) { o.Password = "wrong-" + password },
		"no password":             func(o *SMTP) { o.Username, o.Password = "", "" },
		"an unknown certificate":  func(o *SMTP) { o.Roots = x509.NewCertPool() },
		"a server without TLS":    func(o *SMTP) { o.Port = mailtest.Start(t, mailtest.Options{}).Port },
		"TLS from the first byte": func(o *SMTP) { o.TLS = "tls" },
	} {
		wrong := o
		change(&wrong)
		err := newCourier(t, Options{SMTP: wrong}).Deliver(t.Context(), target(t, "mailto:ada@b.example"), message())
		if err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := b.Received(); len(got) != 1 {
		t.Errorf("received %d mails after refusals", len(got))
	}
}

func TestMailOverImplicitTLS(t *testing.T) {
	cert, pool := mailtest.Certificate(t)
	b := mailtest.Start(t, mailtest.Options{Username: "millrace", Password: password, TLS: cert})
	o := settings(b)
	o.TLS, o.Username, o.Password, o.Roots = "tls", "millrace", password, pool
	if err := newCourier(t, Options{SMTP: o}).Deliver(t.Context(), target(t, "mailto:ada@b.example"), message()); err != nil {
		t.Fatal(err)
	}
	if got := b.Received(); len(got) != 1 || !got[0].Secure {
		t.Errorf("received %+v", got)
	}
}

func TestMailThatIsRefused(t *testing.T) {
	for _, c := range []struct {
		refuse *smtp.SMTPError
		final  bool
	}{
		{&smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "nobody of that name"}, true},
		{&smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "come again later"}, false},
	} {
		b := mailtest.Start(t, mailtest.Options{Refuse: c.refuse})
		err := newCourier(t, Options{SMTP: settings(b)}).Deliver(t.Context(), target(t, "mailto:ada@b.example"), message())
		if err == nil || Final(err) != c.final || !strings.Contains(err.Error(), c.refuse.Message) {
			t.Errorf("%v: got %v, final %v", c.refuse, err, Final(err))
		}
	}
	nobody := SMTP{Host: "127.0.0.1", Port: freePort(t), From: "a@b.example", TLS: "none"}
	if err := newCourier(t, Options{SMTP: nobody}).Deliver(t.Context(), target(t, "mailto:ada@b.example"), message()); err == nil || Final(err) {
		t.Errorf("no server: %v", err)
	}
}

// freePort is a port on which nobody listens.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestAHangingMailServerEndsWithTheContext: a claim that is lost ends the attempt.
func TestAHangingMailServerEndsWithTheContext(t *testing.T) {
	hang := make(chan struct{})
	b := mailtest.Start(t, mailtest.Options{Hang: hang})
	defer close(hang)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := newCourier(t, Options{SMTP: settings(b)}).Deliver(ctx, target(t, "mailto:ada@b.example"), message())
	if err == nil || Final(err) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}
