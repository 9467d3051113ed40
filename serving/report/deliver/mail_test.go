package deliver

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mailbox is a real SMTP server that keeps what it gets.
type mailbox struct {
	server   *smtp.Server
	host     string
	port     int
	username string // empty: nobody has to say who they are

	mu       sync.Mutex
	mails    []received
	refuse   error // of the next mails
	hang     chan struct{}
	sessions int
}

type received struct {
	from, to string
	secure   bool
	data     []byte
}

const password = "hunter2-the-password"

func newMailbox(t *testing.T, change func(*mailbox)) *mailbox {
	t.Helper()
	b := &mailbox{host: "127.0.0.1"}
	b.server = smtp.NewServer(b)
	b.server.Domain, b.server.AllowInsecureAuth = "localhost", false
	b.server.ReadTimeout, b.server.WriteTimeout = 10*time.Second, 10*time.Second
	b.server.ErrorLog = silent{}
	if change != nil {
		change(b)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.port = listener.Addr().(*net.TCPAddr).Port
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = b.server.Close()
		<-done
	})
	return b
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

// NewSession implements smtp.Backend.
func (b *mailbox) NewSession(c *smtp.Conn) (smtp.Session, error) {
	b.mu.Lock()
	b.sessions++
	hang := b.hang
	b.mu.Unlock()
	if hang != nil {
		<-hang
	}
	_, secure := c.TLSConnectionState()
	return &session{box: b, mail: received{secure: secure}, known: b.username == ""}, nil
}

type session struct {
	box   *mailbox
	mail  received
	known bool
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, given string) error {
		if username != s.box.username || given != password {
			return smtp.ErrAuthFailed
		}
		s.known = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if !s.known {
		return smtp.ErrAuthRequired
	}
	s.mail.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.mail.to = to
	return s.box.refuse
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.data = data
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.mails = append(s.box.mails, s.mail)
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func (b *mailbox) received() []received {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mails
}

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

func (b *mailbox) settings() SMTP {
	return SMTP{Host: b.host, Port: b.port, From: "Millrace <reports@millrace.example>", TLS: "none"}
}

// TestMailIsWhatItShouldBe reads a mail by another library: its headers, both bodies, the
// chart in the page and the attachment.
func TestMailIsWhatItShouldBe(t *testing.T) {
	b := newMailbox(t, nil)
	c := newCourier(t, Options{SMTP: b.settings()})
	m := message()
	for range 2 { // as a repetition after a lost confirmation
		if err := c.Deliver(t.Context(), target(t, "mailto:ada@b.example"), m); err != nil {
			t.Fatal(err)
		}
	}
	got := b.received()
	if len(got) != 2 || got[0].from != "reports@millrace.example" || got[0].to != "ada@b.example" {
		t.Fatalf("received %+v", got)
	}
	ids := map[string]bool{}
	for _, mail := range got {
		h, parts := readMail(t, mail.data)
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

// readMail reads a mail by go-message: parts by media type, or by the name of the attachment.
func readMail(t *testing.T, data []byte) (mail.Header, map[string]string) {
	t.Helper()
	r, err := mail.CreateReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for {
		p, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return r.Header, parts
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(p.Body)
		if err != nil {
			t.Fatal(err)
		}
		switch h := p.Header.(type) {
		case *mail.InlineHeader:
			kind, _, _ := h.ContentType()
			if id := h.Get("Content-Id"); id != "" {
				kind += " " + id
			}
			parts[kind] = string(body)
		case *mail.AttachmentHeader:
			name, err := h.Filename()
			if err != nil {
				t.Fatal(err)
			}
			parts["attachment "+name] = string(body)
		}
	}
}

// certificate makes one for 127.0.0.1 that is its own authority.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestMailOverTLSWithAPassword(t *testing.T) {
	cert, pool := certificate(t)
	b := newMailbox(t, func(b *mailbox) {
		b.username = "millrace"
		b.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	})
	o := b.settings()
	o.TLS, o.Username, o.Password, o.Roots = "starttls", "millrace", password, pool
	if err := newCourier(t, Options{SMTP: o}).Deliver(t.Context(), target(t, "mailto:ada@b.example"), message()); err != nil {
		t.Fatal(err)
	}
	if got := b.received(); len(got) != 1 {
		t.Fatalf("received %d mails", len(got))
	}
	for name, change := range map[string]func(*SMTP){
		"a wrong password":        func(o *SMTP) { o.Password = "wrong-" + password },
		"no password":             func(o *SMTP) { o.Username, o.Password = "", "" },
		"an unknown certificate":  func(o *SMTP) { o.Roots = x509.NewCertPool() },
		"a server without TLS":    func(o *SMTP) { o.Port = newMailbox(t, nil).port },
		"TLS from the first byte": func(o *SMTP) { o.TLS = "tls" },
	} {
		wrong := o
		change(&wrong)
		err := newCourier(t, Options{SMTP: wrong}).Deliver(t.Context(), target(t, "mailto:ada@b.example"), message())
		if err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := b.received(); len(got) != 1 {
		t.Errorf("received %d mails after refusals", len(got))
	}
}

func TestMailOverImplicitTLS(t *testing.T) {
	cert, pool := certificate(t)
	b := newMailbox(t, func(b *mailbox) { b.username = "millrace" })
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.server.Serve(tls.NewListener(plain, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}))
	}()
	t.Cleanup(func() {
		_ = plain.Close()
		<-done
	})
	o := b.settings()
	o.TLS, o.Username, o.Password, o.Roots, o.Port = "tls", "millrace", password, pool, plain.Addr().(*net.TCPAddr).Port
	if err := newCourier(t, Options{SMTP: o}).Deliver(t.Context(), target(t, "mailto:ada@b.example"), message()); err != nil {
		t.Fatal(err)
	}
	if got := b.received(); len(got) != 1 || !got[0].secure {
		t.Errorf("received %+v", got)
	}
}

func TestMailThatIsRefused(t *testing.T) {
	for _, c := range []struct {
		refuse error
		final  bool
	}{
		{&smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "nobody of that name"}, true},
		{&smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "come again later"}, false},
	} {
		b := newMailbox(t, func(b *mailbox) { b.refuse = c.refuse })
		err := newCourier(t, Options{SMTP: b.settings()}).Deliver(t.Context(), target(t, "mailto:ada@b.example"), message())
		if err == nil || Final(err) != c.final || !strings.Contains(err.Error(), c.refuse.(*smtp.SMTPError).Message) {
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
	b := newMailbox(t, func(b *mailbox) { b.hang = hang })
	defer close(hang)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := newCourier(t, Options{SMTP: b.settings()}).Deliver(ctx, target(t, "mailto:ada@b.example"), message())
	if err == nil || Final(err) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
	if fmt.Sprint(err) == "" || len(b.received()) != 0 {
		t.Errorf("received %d mails", len(b.received()))
	}
}
