package deliver

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// WebhookOptions are the settings of webhooks.
type WebhookOptions struct {
	// Secret signs what is sent; empty: nothing is signed.
	Secret string
	// HTTP sends the requests; one that follows no redirect and verifies certificates where nil.
	HTTP *http.Client
}

type webhook struct {
	secret []byte
	client *http.Client
	now    func() time.Time
}

func newWebhook(o WebhookOptions) *webhook {
	w := &webhook{secret: []byte(o.Secret), client: o.HTTP, now: time.Now}
	if w.client == nil {
		w.client = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	// A redirect would take the document to somebody whom the statement does not name.
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return w
}

// SignatureHeader holds t=SECONDS,v1=HEX: the HMAC-SHA256, under reports.webhook_secret, of
// the seconds since 1970, a dot and the body. The time lets a receiver refuse what is old.
const SignatureHeader = "Millrace-Signature"

// maxReplyBytes is how much of an answer is read, so that the connection can be used again.
const maxReplyBytes = 64 << 10

func (w *webhook) deliver(ctx context.Context, t Target, m *Message) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL.String(), bytes.NewReader(m.Content))
	if err != nil {
		return final(errors.New("make request: the address is no URL"))
	}
	h := r.Header
	h.Set("Content-Type", m.Type)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": m.Name}))
	h.Set("User-Agent", "millrace")
	h.Set("Idempotency-Key", m.Key)
	h.Set("Millrace-Report", m.Report)
	h.Set("Millrace-Run", m.Run)
	h.Set("Millrace-Tick", m.Tick.Format(time.RFC3339))
	if len(w.secret) > 0 {
		h.Set(SignatureHeader, sign(w.secret, w.now(), m.Content))
	}
	reply, err := w.client.Do(r)
	if err != nil {
		return failed("ask webhook on "+t.URL.Host, withoutAddress(err))
	}
	defer reply.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(reply.Body, maxReplyBytes))
	if reply.StatusCode >= 200 && reply.StatusCode < 300 {
		return nil
	}
	f := &failure{error: fmt.Errorf("the webhook on %s answered %s", t.URL.Host, reply.Status), after: retryAfter(reply.Header, w.now())}
	switch reply.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
	default:
		f.final = reply.StatusCode < 500
	}
	return f
}

func sign(secret []byte, now time.Time, body []byte) string {
	seconds := strconv.FormatInt(now.Unix(), 10)
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(seconds + "."))
	h.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(h.Sum(nil))
}

// withoutAddress takes the address, which may hold a secret, out of an error of net/http.
func withoutAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// retryAfter reads Retry-After: seconds or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
