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
	Name    string   `json:"name"`
	Stream  string   `json:"stream"`
	Order   string   `json:"order"`   // desc: the highest score is rank 1; asc: the lowest
	Windows []string `json:"windows"` // such as all, day, week
	Tie     string   `json:"tie"`     // first or shared
	Members int64    `json:"members"` // ranked in the first of Windows
}

// Window names a window of a leaderboard. The zero value is the board's first one, now.
type Window struct {
	Name string    // such as day
	At   time.Time // any time in the window, for a past one; zero: now
	// Wait is how long the answer may wait until it holds everything that was acknowledged
	// before; at most a minute.
	Wait time.Duration
}

func (w Window) values() url.Values {
	v := url.Values{}
	if w.Name != "" {
		v.Set("window", w.Name)
	}
	if !w.At.IsZero() {
		v.Set("at", w.At.UTC().Format(time.RFC3339))
	}
	setWait(v, w.Wait)
	return v
}

// Score is a score as JSON has it: a whole number keeps all its digits.
type Score = json.Number

// Place is a member's place on a leaderboard.
type Place struct {
	Rank   *int64 `json:"rank"` // from 1; nil: not ranked, which Members may answer
	Member string `json:"member"`
	Score  *Score `json:"score"` // nil where Rank is
	// RankAmong is the rank among those that were asked for; of Members only.
	RankAmong *int64 `json:"rank_among,omitempty"`
}

// Standing is an answer of a leaderboard: a window, and members in it.
type Standing struct {
	Board   string     `json:"board"`
	Window  string     `json:"window"`
	Start   *time.Time `json:"start"` // of the window; nil where it has none
	End     *time.Time `json:"end"`   // exclusive
	Members int64      `json:"members"`
	Rows    []Place    `json:"rows"`
	Next    string     `json:"next,omitempty"` // the cursor of the next page; empty on the last
	Source  *Source    `json:"provenance"`
}

// Rank is the answer about one member. Percentile is the share of members, in percent,
// that are ranked no better than it.
type Rank struct {
	Board      string     `json:"board"`
	Window     string     `json:"window"`
	Start      *time.Time `json:"start"`
	End        *time.Time `json:"end"`
	Rank       int64      `json:"rank"`
	Member     string     `json:"member"`
	Score      Score      `json:"score"`
	Members    int64      `json:"members"`
	Percentile float64    `json:"percentile"`
	Source     *Source    `json:"provenance"`
}

// TopQuery asks for a page of a leaderboard.
type TopQuery struct {
	Window
	N      int    // members on the page; 0: the server's default
	Offset int    // members to leave out; for deep pages use After
	After  string // Next of the page before
}

// Boards lists the leaderboards.
func (c *Client) Boards(ctx context.Context) ([]Board, error) {
	var r struct {
		Leaderboards []Board `json:"leaderboards"`
	}
	err := c.object(ctx, reading("/v1/leaderboards", nil), &r)
	return r.Leaderboards, err
}

// Board describes one leaderboard.
func (c *Client) Board(ctx context.Context, board string) (*Board, error) {
	return look[Board](ctx, c, nil, "/v1/leaderboards/", board)
}

// Top returns a page of a leaderboard, the best first.
func (c *Client) Top(ctx context.Context, board string, q TopQuery) (*Standing, error) {
	v := q.values()
	setCount(v, "n", q.N)
	setCount(v, "offset", q.Offset)
	if q.After != "" {
		v.Set("after", q.After)
	}
	return look[Standing](ctx, c, v, "/v1/leaderboards/", board, "/top")
}

// Rank returns rank and score of one member. A member without a score is an Error of
// kind unknown-member.
func (c *Client) Rank(ctx context.Context, board, member string, w Window) (*Rank, error) {
	return look[Rank](ctx, c, w.values(), "/v1/leaderboards/", board, "/rank/", member)
}

// Around returns a member and up to n on either side of it; n 0 is the server's default.
func (c *Client) Around(ctx context.Context, board, member string, n int, w Window) (*Standing, error) {
	v := w.values()
	setCount(v, "n", n)
	return look[Standing](ctx, c, v, "/v1/leaderboards/", board, "/around/", member)
}

// Members returns the places of several members, among all and among each other. Those
// that are not ranked come last, with nil for a rank.
func (c *Client) Members(ctx context.Context, board string, members []string, w Window) (*Standing, error) {
	v := w.values()
	v["m"] = members
	return look[Standing](ctx, c, v, "/v1/leaderboards/", board, "/members")
}

func setCount(v url.Values, name string, n int) {
	if n != 0 {
		v.Set(name, strconv.Itoa(n))
	}
}
