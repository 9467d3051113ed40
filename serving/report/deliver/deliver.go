// Package deliver brings documents to recipients: by mail, to webhooks, into files and
// into S3 buckets.
//
// The one invariant: an attempt ends with its context, and it has succeeded only once the
// receiver has confirmed. What was sent and not confirmed is sent again under the same key,
// by which receivers can tell. No error text has a secret in it.
package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind is a way of delivery.
type Kind string

// The ways.
const (
	Mail    Kind = "mailto"
	Webhook Kind = "https"
	File    Kind = "file"
	S3      Kind = "s3"
)

// attemptTimeout bounds one attempt: a mail of megabytes over a slow line, and far below
// what somebody waits for a report.
const attemptTimeout = time.Minute

// slots is how many attempts of one kind run at a time. Each kind has slots of its own, so
// that a mail server that hangs holds up no webhook.
const slots = 8

// Message is what is delivered.
type Message struct {
	Key     string // the same in every attempt of one delivery, and of no other
	Report  string // name of the report
	Title   string
	Run     string    // id of the run
	Tick    time.Time // in the report's zone
	Content []byte    // the document
	Name    string    // of the document's file
	Type    string    // media type of the document

	// Of mails only.
	Page        []byte // the HTML body
	Text        string // the same for readers without HTML
	Images      []Image
	Attach      bool   // the document goes along; otherwise it is the body
	Unsubscribe string // address of the page on which the recipient unsubscribes; may be empty
}

// Image is a picture that the HTML body names as cid:ID.
type Image struct {
	ID   string
	Name string
	Type string
	Data []byte
}

// Options say which ways there are; where the settings of one are empty, it is not offered.
type Options struct {
	SMTP    SMTP
	Webhook WebhookOptions
	Dir     string // below which files are written
	S3      S3Options
}

// Courier delivers. It is safe for concurrent use.
type Courier struct {
	mail    *mailer
	webhook *webhook
	file    *folder
	s3      *bucket
	slots   map[Kind]chan struct{}
}

// New returns a courier. It connects to nothing yet.
func New(o Options) (*Courier, error) {
	c := &Courier{webhook: newWebhook(o.Webhook), slots: map[Kind]chan struct{}{}}
	for _, k := range []Kind{Mail, Webhook, File, S3} {
		c.slots[k] = make(chan struct{}, slots)
	}
	var err error
	if o.SMTP.Host != "" {
		if c.mail, err = newMailer(o.SMTP); err != nil {
			return nil, err
		}
	}
	if o.Dir != "" {
		if c.file, err = openFolder(o.Dir); err != nil {
			return nil, err
		}
	}
	if o.S3.AccessKey != "" {
		if c.s3, err = newBucket(o.S3); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Close frees what the courier holds.
func (c *Courier) Close() error {
	c.webhook.client.CloseIdleConnections()
	if c.file == nil {
		return nil
	}
	return c.file.root.Close()
}

// way is one kind of delivery.
type way interface {
	deliver(ctx context.Context, t Target, m *Message) error
}

// Check returns why a target cannot be delivered to with this configuration.
func (c *Courier) Check(t Target) error {
	switch {
	case t.Kind == Mail && c.mail == nil:
		return errors.New("no mail server is configured: set smtp.host and smtp.from")
	case t.Kind == File && c.file == nil:
		return errors.New("no directory of reports is configured: set reports.dir")
	case t.Kind == S3 && c.s3 == nil:
		return errors.New("no S3 credentials are configured: set reports.s3.access_key and reports.s3.secret_key")
	}
	return nil
}

// Deliver tries once. For whether and when to try again see Final and RetryAfter.
func (c *Courier) Deliver(ctx context.Context, t Target, m *Message) error {
	if err := c.Check(t); err != nil {
		return final(err)
	}
	select {
	case c.slots[t.Kind] <- struct{}{}:
		defer func() { <-c.slots[t.Kind] }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	by := map[Kind]way{Mail: c.mail, Webhook: c.webhook, File: c.file, S3: c.s3}[t.Kind]
	return by.deliver(ctx, t, m)
}

// failure is why an attempt failed, and what may be done.
type failure struct {
	error
	final bool          // another attempt would fail too
	after time.Duration // the receiver asked to wait so long
}

func (f *failure) Unwrap() error { return f.error }

func final(err error) error { return &failure{error: err, final: true} }

// Final reports whether trying again is of no use: the receiver refused for good.
func Final(err error) bool {
	var f *failure
	return errors.As(err, &f) && f.final
}

// RetryAfter is how long the receiver asked to wait; 0 where it did not.
func RetryAfter(err error) time.Duration {
	var f *failure
	if errors.As(err, &f) {
		return f.after
	}
	return 0
}

func failed(what string, err error) error { return fmt.Errorf("%s: %w", what, err) }
