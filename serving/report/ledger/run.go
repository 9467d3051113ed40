package ledger

import (
	"crypto/rand"
	"regexp"
	"slices"
	"time"
)

// State is where a run, or one delivery of it, stands.
type State string

// The states of runs; those of deliveries are Pending, Sending, Waiting, Delivered, Failed
// and Unsubscribed.
const (
	Running   State = "running"   // a process is at work on it
	Waiting   State = "waiting"   // for its next attempt
	Delivered State = "delivered" // to everybody
	Failed    State = "failed"    // for good: the document, or one of its deliveries
	Missed    State = "missed"    // never begun: no process was there at the time

	Pending      State = "pending"      // not begun
	Sending      State = "sending"      // begun; where nothing follows, nobody knows whether it arrived
	Unsubscribed State = "unsubscribed" // the recipient wants no more of it
)

// Ended reports whether nothing more will happen.
func (s State) Ended() bool {
	return s == Delivered || s == Failed || s == Missed || s == Unsubscribed
}

// Run is one run of a report.
type Run struct {
	Report      string       `json:"report"` // its id
	ID          string       `json:"id"`
	Tick        time.Time    `json:"tick"` // of the schedule; of a run by hand when it was asked for
	ByHand      bool         `json:"by_hand,omitempty"`
	State       State        `json:"state"`
	Started     *time.Time   `json:"started,omitempty"`
	Finished    *time.Time   `json:"finished,omitempty"`
	Attempts    int          `json:"attempts"` // how often a process took it up
	NextAttempt *time.Time   `json:"next_attempt,omitempty"`
	Error       string       `json:"error,omitempty"` // why there is no document
	Document    *Document    `json:"document,omitempty"`
	Mail        *Document    `json:"mail,omitempty"` // its parts for mails, where there are any
	Rows        int64        `json:"rows"`
	Bytes       int64        `json:"bytes"`
	Generations []Generation `json:"generations,omitempty"`
	Deliveries  []Delivery   `json:"deliveries,omitempty"`
	MissedTicks int          `json:"missed_ticks,omitempty"` // of a missed run: how many, up to Tick
}

// Document is a rendered document in the ledger's store.
type Document struct {
	Object      string `json:"object"`
	Name        string `json:"name"` // of the file that it is for people
	ContentType string `json:"content_type"`
}

// Generation is what a document is made of: of a view its batch generation and cut.
type Generation struct {
	Name       string     `json:"name"`
	Generation uint64     `json:"generation"`
	Cut        *int64     `json:"cut,omitempty"`
	CutTime    *time.Time `json:"cut_time,omitempty"`
	Complete   bool       `json:"complete"`
	LagMillis  int64      `json:"lag_ms"`
}

// Delivery is the way of the document to one recipient.
type Delivery struct {
	To          string     `json:"to"` // without secrets
	State       State      `json:"state"`
	Attempts    int        `json:"attempts"`
	First       *time.Time `json:"first,omitempty"` // when the first attempt began
	Last        *time.Time `json:"last,omitempty"`  // when the last attempt ended
	NextAttempt *time.Time `json:"next_attempt,omitempty"`
	Error       string     `json:"error,omitempty"`
}

// clone copies what an update may change.
func (r *Run) clone() Run {
	out := *r
	out.Deliveries = slices.Clone(r.Deliveries)
	return out
}

// tickLayout sorts as time does.
const tickLayout = "20060102T150405Z"

var idPattern = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z(-[A-Z2-7]{1,26})?$`)

func validID(id string) bool { return idPattern.MatchString(id) }

// TickID is the id of the run of a tick: the same in every process.
func TickID(tick time.Time) string { return tick.UTC().Format(tickLayout) }

// HandID is a new id for a run that somebody asked for.
func HandID(now time.Time) string { return now.UTC().Format(tickLayout) + "-" + rand.Text()[:8] }
