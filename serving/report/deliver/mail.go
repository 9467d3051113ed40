package deliver

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"strings"

	"github.com/wneessen/go-mail"
)

// SMTP is the server that takes mails.
type SMTP struct {
	Host               string
	Port               int
	Username, Password string         // both empty: no authentication
	From               string         // an address, with or without a name
	TLS                string         // starttls, tls or none
	Roots              *x509.CertPool // who signs its certificate; nil: whom the machine trusts
}

// mailer sends mails.
type mailer struct {
	o    SMTP
	from *netmail.Address
}

func newMailer(o SMTP) (*mailer, error) {
	from, err := netmail.ParseAddress(o.From)
	if err != nil {
		return nil, fmt.Errorf("smtp.from: %q is not a mail address", o.From)
	}
	return &mailer{o: o, from: from}, nil
}

func (s *mailer) deliver(ctx context.Context, t Target, m *Message) error {
	msg, err := s.compose(t.Address, m)
	if err != nil {
		return final(failed("write mail", err))
	}
	client, err := s.client(ctx)
	if err != nil {
		return final(failed("prepare mail", err))
	}
	err = client.DialAndSendWithContext(ctx, msg)
	if msg.IsDelivered() {
		return nil // the server has it: that it did not part well afterwards is no matter
	}
	if err == nil {
		err = errors.New("the server confirmed nothing")
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("the mail server did not answer in time: %w", ctx.Err())
	}
	f := &failure{error: failed("send mail by "+s.o.Host, err)}
	var refused *mail.SendError
	if errors.As(err, &refused) {
		f.final = refused.ErrorCode() >= 500
	}
	return f
}

// client is for one mail. Its connection closes with ctx, which the library asks while it
// dials only.
func (s *mailer) client(ctx context.Context) (*mail.Client, error) {
	policy := mail.TLSMandatory
	if s.o.TLS == "none" {
		policy = mail.NoTLS
	}
	config := &tls.Config{ServerName: s.o.Host, MinVersion: tls.VersionTLS12, RootCAs: s.o.Roots}
	options := []mail.Option{
		mail.WithPort(s.o.Port), mail.WithTLSPolicy(policy), mail.WithTLSConfig(config), mail.WithTimeout(attemptTimeout),
		mail.WithDialContextFunc(func(dialing context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(dialing, network, address)
			if err != nil {
				return nil, err
			}
			context.AfterFunc(ctx, func() { _ = conn.Close() })
			if s.o.TLS == "tls" {
				return tls.Client(conn, config), nil
			}
			return conn, nil
		}),
	}
	if s.o.TLS == "tls" {
		options = append(options, mail.WithSSL())
	}
	if s.o.Username != "" {
		options = append(options, mail.WithOpportunisticSMTPAuth(mail.SMTPAuthPlain, mail.SMTPAuthLogin),
			mail.WithUsername(s.o.Username), mail.WithPassword(s.o.Password))
	}
	return mail.NewClient(s.o.Host, options...)
}

// compose writes the mail to one recipient.
func (s *mailer) compose(to string, m *Message) (*mail.Msg, error) {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(s.from)
	if err := msg.To(to); err != nil {
		return nil, err
	}
	msg.Subject(m.Title)
	// The key is the same in every attempt: a receiver that got the mail twice can tell.
	msg.SetMessageIDWithValue(m.Key + "@" + s.domain())
	msg.SetDateWithValue(m.Tick)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("List-Id", strings.ReplaceAll(m.Report, "_", "-")+"."+s.domain())
	if err := unsubscribe(msg, m.Unsubscribe); err != nil {
		return nil, err
	}
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(mail.TypeTextHTML, string(m.Page))
	for _, i := range m.Images {
		msg.EmbedReadSeeker(i.Name, bytes.NewReader(i.Data), mail.WithFileContentID("<"+i.ID+">"), mail.WithFileContentType(mail.ContentType(i.Type)))
	}
	if m.Attach {
		msg.AttachReadSeeker(m.Name, bytes.NewReader(m.Content), mail.WithFileContentType(mail.ContentType(m.Type)))
	}
	return msg, nil
}

func (s *mailer) domain() string {
	return s.from.Address[strings.LastIndexByte(s.from.Address, '@')+1:]
}

// unsubscribe sets the headers of RFC 2369 and, as that asks for https, of RFC 8058.
func unsubscribe(msg *mail.Msg, link string) error {
	switch {
	case link == "":
		return nil
	case strings.HasPrefix(link, "https://"):
		return msg.SetListUnsubscribeOneClick(link)
	}
	msg.SetListUnsubscribe(link)
	return nil
}
