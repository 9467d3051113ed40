package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"github.com/millrace/millrace/serving/report/deliver"
	"github.com/millrace/millrace/serving/report/ledger"
)

// maxTakeUps ends a run that processes took up again and again, such as one whose document
// brings each down.
const maxTakeUps = 100

// run works on a run until it has ended, waits for its next attempt, or is another's.
func (s *Scheduler) run(c *ledger.Claim, d *Definition) {
	defer c.Abandon() // does nothing after an end
	r := c.Run()
	if r.Attempts > maxTakeUps {
		s.ended(c, ledger.Failed, func(r *ledger.Run) { r.Error = fmt.Sprintf("given up after it was begun %d times", maxTakeUps) })
		return
	}
	if r.Document == nil {
		if !s.document(c, d) {
			return
		}
		r = c.Run()
	}
	parts, err := s.load(c.Context(), r)
	if err != nil {
		s.later(c, d, err)
		return
	}
	var wg sync.WaitGroup
	for i := range d.Targets {
		if i < len(r.Deliveries) && s.wants(r.Deliveries[i]) {
			wg.Go(func() { s.deliver(c, d, i, parts) })
		}
	}
	wg.Wait()
	s.settle(c, d)
}

// document makes the document and keeps it, so that every attempt of every delivery sends
// the same. It reports whether the run goes on.
func (s *Scheduler) document(c *ledger.Claim, d *Definition) bool {
	tick := c.Run().Tick
	p, err := s.make(c.Context(), d, tick)
	if err != nil {
		s.later(c, d, err)
		return false
	}
	doc, err := c.PutDocument("document", ledger.Document{Name: d.fileName(tick), ContentType: d.Format.contentType}, p.content)
	var mail *ledger.Document
	if err == nil && p.mail != nil {
		mail, err = putMail(c, p.mail)
	}
	if err == nil {
		err = c.Update(func(r *ledger.Run) {
			r.Document, r.Mail, r.Rows, r.Bytes, r.Generations, r.Error = &doc, mail, p.rows, int64(len(p.content)), p.generations, ""
		})
	}
	if err != nil {
		s.later(c, d, err)
		return false
	}
	return true
}

func putMail(c *ledger.Claim, parts *mailParts) (*ledger.Document, error) {
	text, err := json.Marshal(parts)
	if err != nil {
		return nil, fmt.Errorf("encode mail: %w", err)
	}
	kept, err := c.PutDocument("mail", ledger.Document{ContentType: "application/json"}, text)
	return &kept, err
}

// kept are the parts of a run that was made before.
type kept struct {
	content []byte
	mail    mailParts
}

func (s *Scheduler) load(ctx context.Context, r ledger.Run) (*kept, error) {
	k := &kept{}
	var found bool
	var err error
	if k.content, found, err = s.o.Ledger.Content(ctx, *r.Document); err != nil || !found {
		return nil, errors.Join(err, missing(found))
	}
	if r.Mail == nil {
		return k, nil
	}
	text, found, err := s.o.Ledger.Content(ctx, *r.Mail)
	if err != nil || !found {
		return nil, errors.Join(err, missing(found))
	}
	if err := json.Unmarshal(text, &k.mail); err != nil {
		return nil, fmt.Errorf("read mail of run %s: %w", r.ID, err)
	}
	return k, nil
}

func missing(found bool) error {
	if found {
		return nil
	}
	return errors.New("the document is gone from the ledger's store")
}

// later ends the claim after a failure before the deliveries: for another attempt where
// that may succeed.
func (s *Scheduler) later(c *ledger.Claim, d *Definition, failure error) {
	if c.Context().Err() != nil {
		s.leave(c, d)
		return
	}
	s.o.Log.Warn("report failed", "report", d.Name, "run", c.Run().ID, "error", failure)
	text := failure.Error()
	after, again := passing(failure)
	again = again && !errors.Is(failure, errTooLarge)
	r := c.Run()
	wait := max(s.backoff(r.Attempts), after)
	if !again || !s.mayTry(r.Attempts, *r.Started, wait) {
		s.ended(c, ledger.Failed, func(r *ledger.Run) { r.Error = text })
		return
	}
	if err := c.Release(s.o.Now().Add(wait), func(r *ledger.Run) { r.Error = text }); err != nil {
		s.warn("write run", err, "report", d.Name)
	}
}

// leave parts with a run whose claim is over before its work is: where this process ends,
// another takes it up at once.
func (s *Scheduler) leave(c *ledger.Claim, d *Definition) {
	if cause := context.Cause(c.Context()); errors.Is(cause, ledger.ErrLost) {
		s.warn("leave run to another process", cause, "report", d.Name, "run", c.Run().ID)
	}
	if s.ctx.Err() != nil {
		_ = c.Release(s.o.Now(), func(*ledger.Run) {}) // where it fails, the lease ends by itself
	}
}

// wants reports whether a delivery is to be tried now.
func (s *Scheduler) wants(v ledger.Delivery) bool {
	return !v.State.Ended() && (v.NextAttempt == nil || !s.o.Now().Before(*v.NextAttempt))
}

// deliver tries one delivery. That it begins is durable before anything is sent, and so is
// its outcome after: what was recorded as delivered is never sent again. Where the process
// ends between the two nobody knows, and it is sent again under the same key.
func (s *Scheduler) deliver(c *ledger.Claim, d *Definition, i int, k *kept) {
	ctx, target, r := c.Context(), d.Targets[i], c.Run()
	if target.Kind == deliver.Mail {
		gone, err := s.o.Ledger.Unsubscribed(ctx, d.ID, target.Address)
		if err != nil {
			s.warn("deliver report", err, "report", d.Name)
			return
		}
		if gone {
			_ = c.Update(func(r *ledger.Run) { r.Deliveries[i].State = ledger.Unsubscribed })
			return
		}
	}
	m, err := s.message(ctx, d, r, i, k)
	if err != nil {
		s.warn("deliver report", err, "report", d.Name)
		return
	}
	now := s.o.Now().UTC()
	err = c.Update(func(r *ledger.Run) {
		v := &r.Deliveries[i]
		v.State, v.NextAttempt = ledger.Sending, nil
		v.Attempts++
		if v.First == nil {
			v.First = &now
		}
	})
	if err != nil {
		return // it is another's, or the store does not answer: settle sees to it
	}
	failure := s.o.Courier.Deliver(ctx, target, m)
	if failure != nil && ctx.Err() != nil {
		return // it did not fail, it was stopped: it stays as begun
	}
	var state ledger.State
	_ = c.Update(func(r *ledger.Run) {
		v := &r.Deliveries[i]
		s.note(v, failure)
		state = v.State
	})
	s.metrics.deliveries.WithLabelValues(string(target.Kind), string(state)).Inc()
	if failure != nil {
		s.o.Log.Warn("deliver report", "report", d.Name, "run", r.ID, "to", target.String(), "state", state, "error", failure)
	}
}

// note writes the outcome of an attempt down.
func (s *Scheduler) note(v *ledger.Delivery, failure error) {
	now := s.o.Now().UTC()
	v.Last = &now
	if failure == nil {
		v.State, v.Error = ledger.Delivered, ""
		return
	}
	v.Error = failure.Error()
	wait := max(s.backoff(v.Attempts), deliver.RetryAfter(failure))
	if deliver.Final(failure) || !s.mayTry(v.Attempts, *v.First, wait) {
		v.State = ledger.Failed
		return
	}
	next := now.Add(wait)
	v.State, v.NextAttempt = ledger.Waiting, &next
}

// mayTry reports whether another attempt, after a wait, is within bounds.
func (s *Scheduler) mayTry(attempts int, first time.Time, wait time.Duration) bool {
	return attempts < s.o.Backoff.Attempts && s.o.Now().Add(wait).Sub(first) <= s.o.Backoff.Within
}

// backoff is the wait after a number of attempts: twice as long each time, less up to half
// of it by chance, so that what failed together does not come back together.
func (s *Scheduler) backoff(attempts int) time.Duration {
	wait := min(s.o.Backoff.First<<min(attempts-1, 30), s.o.Backoff.Longest)
	if wait <= 0 {
		wait = s.o.Backoff.Longest
	}
	return wait/2 + rand.N(wait/2+1)
}

// message is what one recipient gets.
func (s *Scheduler) message(ctx context.Context, d *Definition, r ledger.Run, i int, k *kept) (*deliver.Message, error) {
	m := &deliver.Message{
		Key: fmt.Sprintf("%s.%s.%d", d.ID, r.ID, i), Report: d.Name, Title: d.Title, Run: r.ID, Tick: r.Tick.In(d.Schedule.Zone),
		Content: k.content, Name: r.Document.Name, Type: r.Document.ContentType,
	}
	if d.Targets[i].Kind != deliver.Mail {
		return m, nil
	}
	m.Attach, m.Images = d.Format.attached(), k.mail.Images
	if s.o.PublicURL != "" {
		proof, err := s.o.Ledger.Sign(ctx, d.ID, d.Targets[i].Address)
		if err != nil {
			return nil, err
		}
		m.Unsubscribe = s.o.PublicURL + "/unsubscribe/" + url.PathEscape(d.Name) + "?" + url.Values{"to": {d.Targets[i].Address}, "proof": {proof}}.Encode()
	}
	m.Page, m.Text = k.mail.forRecipient(m.Unsubscribe)
	return m, nil
}

// settle ends the claim after its deliveries: for good, or until the earliest next attempt.
func (s *Scheduler) settle(c *ledger.Claim, d *Definition) {
	if c.Context().Err() != nil {
		s.leave(c, d)
		return
	}
	state := ledger.Delivered
	var next *time.Time
	soon := s.o.Now().Add(s.o.Backoff.First) // for what could not be begun or noted
	for _, v := range c.Run().Deliveries {
		switch {
		case v.State == ledger.Failed:
			state = ledger.Failed
		case !v.State.Ended():
			at := v.NextAttempt
			if at == nil {
				at = &soon
			}
			if next == nil || at.Before(*next) {
				next = at
			}
		}
	}
	if next == nil {
		s.ended(c, state, func(*ledger.Run) {})
		return
	}
	if err := c.Release(*next, func(*ledger.Run) {}); err != nil {
		s.warn("write run", err, "report", d.Name)
	}
}

// ended writes the end of a run.
func (s *Scheduler) ended(c *ledger.Claim, state ledger.State, change func(*ledger.Run)) {
	if err := c.Finish(state, change); err != nil {
		s.warn("write run", err, "run", c.Run().ID)
		return
	}
	s.metrics.runs.WithLabelValues(string(state)).Inc()
	r := c.Run()
	s.o.Log.Info("report ended", "report", r.Report, "run", r.ID, "state", state, "rows", r.Rows, "bytes", r.Bytes)
}
