package client

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"time"
)

// Board describes a leaderboard.
type Board struct {
	Name       string   `json:"name"`
	Stream     string   `json:"stream"`
	Member     string   `json:"member"` // its column
	MemberType string   `json:"member_type"`
	Score      string   `json:"score"`   // its column
	Order      string   `json:"order"`   // desc: the greatest score is the best; or asc
	Tie        string   `json:"tie"`     // shared: equal scores share a rank; or first
	Windows    []string `json:"windows"` // such as all, day, week
	Keep       string   `json:"keep"`    // how long past windows are at hand
	Batch      string   `json:"batch"`   // when the batch layer recomputes it
	SQL        string   `json:"sql"`
}

// BoardState is a leaderboard and how many members it ranks.
type BoardState struct {
	Board
	Now []BoardSize `json:"now"` // the windows that hold the present
}

// BoardSize is how many members a window ranks.
type BoardSize struct {
	Window
	Members int64  `json:"members"`
	Source  Source `json:"provenance"`
}

// Window is the window of an answer.
type Window struct {
	Name  string     `json:"name"`
	Start *time.Time `json:"start,omitempty"` // nil for all time
	End   *time.Time `json:"end,omitempty"`   // exclusive
}

// Scope says which window a question is about. The zero value is all time where the
// leaderboard has that, else its first window, now.
type Scope struct {
	Window string    // such as day
	At     time.Time // any time in the window, for a past one; zero: now
	// Wait is how long the answer may wait until it holds everything that was acknowledged
	// before; at most a minute.
	Wait time.Duration
}

func (s Scope) values() url.Values {
	v := url.Values{}
	if s.Window != "" {
		v.Set("window", s.Window)
	}
	if !s.At.IsZero() {
		v.Set("at", s.At.UTC().Format(time.RFC3339))
	}
	setWait(v, s.Wait)
	return v
}

// Score is a score as JSON has it: a whole number keeps all its digits.
type Score = json.Number

// Member is a member as text, whatever the type of its column.
type Member string

// UnmarshalJSON takes a string without its quotes, and anything else as it stands.
func (m *Member) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, (*string)(m))
	}
	*m = Member(text)
	return nil
}

// Place is a member's place on a leaderboard.
type Place struct {
	Rank   *int64 `json:"rank"` // from 1; nil: not ranked
	Member Member `json:"member"`
	Score  *Score `json:"score"` // nil where there is none
	// Among is the rank among those that were asked for; of Members only.
	Among *int64 `json:"among,omitempty"`
}

// Standing is an answer of a leaderboard: a window, and members in it.
type Standing struct {
	Leaderboard string  `json:"leaderboard"`
	Window      Window  `json:"window"`
	Members     int64   `json:"members"` // ranked in the window
	Rows        []Place `json:"rows"`
	Next        string  `json:"next,omitempty"` // the cursor of the next page; empty on the last
	Source      Source  `json:"provenance"`
}

// Rank is the answer about one member.
type Rank struct {
	Leaderboard string `json:"leaderboard"`
	Window      Window `json:"window"`
	Place
	Members int64 `json:"members"` // ranked in the window
	// Percentile is the share of the ranked members, in percent, that are ranked no better
	// than this one, itself among them: 100 for the best. Nil where it has no rank.
	Percentile *float64 `json:"percentile"`
	Source     Source   `json:"provenance"`
}

// TopQuery asks for a page of a leaderboard.
type TopQuery struct {
	Scope
	N      int    // members on the page; 0: the server's default
	Offset int    // members to leave out; for deep pages use After
	After  string // Next of the page before
}

// page are the query's parameters.
func (q TopQuery) page() url.Values {
	v := q.values()
	setCount(v, "n", q.N)
	setCount(v, "offset", q.Offset)
	if q.After != "" {
		v.Set("after", q.After)
	}
	return v
}

// Boards lists the leaderboards.
func (c *Client) Boards(ctx context.Context) ([]Board, error) {
	var r struct {
		Leaderboards []Board `json:"leaderboards"`
	}
	err := c.object(ctx, reading("/v1/leaderboards", nil), &r)
	return r.Leaderboards, err
}

// Board describes one leaderboard and counts its members.
func (c *Client) Board(ctx context.Context, board string) (*BoardState, error) {
	return look[BoardState](ctx, c, nil, "/v1/leaderboards/", board)
}

// Top returns a page of a leaderboard, the best first.
func (c *Client) Top(ctx context.Context, board string, q TopQuery) (*Standing, error) {
	return look[Standing](ctx, c, q.page(), "/v1/leaderboards/", board, "/top")
}

// Rank returns rank and score of one member. A member without a score is an Error of
// kind unknown-member.
func (c *Client) Rank(ctx context.Context, board, member string, s Scope) (*Rank, error) {
	return look[Rank](ctx, c, s.values(), "/v1/leaderboards/", board, "/rank/", member)
}

// Around returns a member and up to n on either side of it; n 0 is the server's default.
func (c *Client) Around(ctx context.Context, board, member string, n int, s Scope) (*Standing, error) {
	v := s.values()
	setCount(v, "n", n)
	return look[Standing](ctx, c, v, "/v1/leaderboards/", board, "/around/", member)
}

// Members returns the places of several members, among all and among each other. Those
// that are not ranked come last, with nil for a rank.
func (c *Client) Members(ctx context.Context, board string, members []string, s Scope) (*Standing, error) {
	v := s.values()
	v["m"] = members
	return look[Standing](ctx, c, v, "/v1/leaderboards/", board, "/members")
}

func setCount(v url.Values, name string, n int) {
	if n != 0 {
		v.Set(name, strconv.Itoa(n))
	}
}
