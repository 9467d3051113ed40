package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/serving/leaderboard"
)

const (
	// maxMembersBytes bounds the body of POST …/members: its members at length.
	maxMembersBytes = 256 << 10
	defaultTop      = 10 // rows of …/top
	defaultAround   = 5  // rows on each side of …/around
)

// Leaderboards finds leaderboards.
type Leaderboards interface {
	Leaderboard(name string) (*catalog.View, error)
	Leaderboards() []*catalog.View
}

// Ranks answers questions about leaderboards.
type Ranks interface {
	Top(ctx context.Context, s leaderboard.Scope, n, offset int, cursor string) (*leaderboard.Answer, error)
	Rank(ctx context.Context, s leaderboard.Scope, member string) (*leaderboard.Standing, error)
	Around(ctx context.Context, s leaderboard.Scope, member string, n int) (*leaderboard.Answer, error)
	Members(ctx context.Context, s leaderboard.Scope, members []string) (*leaderboard.Answer, error)
	Size(ctx context.Context, s leaderboard.Scope) (*leaderboard.Size, error)
}

// BoardInfo describes a leaderboard.
type BoardInfo struct {
	Name    string   `json:"name"`
	Stream  string   `json:"stream"`
	Member  string   `json:"member"`      // its column
	Type    string   `json:"member_type"` // of the column
	Score   string   `json:"score"`       // its column
	Order   string   `json:"order"`       // desc: the greatest score is the best; or asc
	Tie     string   `json:"tie"`         // shared: equal scores share a rank; or first
	Windows []string `json:"windows"`
	Keep    string   `json:"keep,omitempty"` // how long past windows are at hand; left out where there are none
	Batch   string   `json:"batch"`
	SQL     string   `json:"sql"`
}

// BoardList is the answer of GET /v1/leaderboards.
type BoardList struct {
	Leaderboards []BoardInfo `json:"leaderboards"`
}

// BoardState is the answer of GET /v1/leaderboards/{board}.
type BoardState struct {
	BoardInfo
	// Now are the windows that hold the present.
	Now []leaderboard.Size `json:"now"`
}

// boardServer serves leaderboards.
type boardServer struct {
	*server
	boards Leaderboards
	ranks  Ranks
}

// leaderboardRoutes are the routes of leaderboards.
func (s *server) leaderboardRoutes(boards Leaderboards, ranks Ranks) route.Table {
	b := &boardServer{server: s, boards: boards, ranks: ranks}
	name := route.Param{Name: "board", In: "path", Type: "string", Required: true, About: "Name of the leaderboard", Example: "top_players"}
	member := route.Param{Name: "member", In: "path", Type: "string", Required: true, About: "The member, as its column is written in text", Example: "u1"}
	n := route.Param{Name: "n", In: "query", Type: "integer", Example: "10"}
	scope := []route.Param{
		name,
		{Name: "window", In: "query", Type: "string", About: "Which window: one of the leaderboard's. Default: all, where it has that, else its first", Example: "day"},
		{Name: "at", In: "query", Type: "string", About: "A time inside a past window: RFC 3339, a date, seconds since 1970, or a span such as -1d. Default: now", Example: "2026-01-02"},
		{Name: "wait", In: "query", Type: "string", About: "Wait up to this long, at most 1m, until every event acknowledged before the request is in the answer", Example: "1s"},
	}
	with := func(more ...route.Param) []route.Param { return slices.Concat(scope, more) }
	about := func(p route.Param, text string) route.Param { p.About = text; return p }
	json := func(value any, about string) []route.Reply {
		return []route.Reply{{Status: http.StatusOK, Types: []string{"application/json"}, Value: value, About: about}}
	}
	errors := []int{http.StatusBadRequest, http.StatusNotFound, http.StatusServiceUnavailable, http.StatusGatewayTimeout}
	const path = "/v1/leaderboards/{board}"
	friends := func(method, id, summary string, params []route.Param, body *route.Body, handle func(http.ResponseWriter, *http.Request) error) route.Route {
		errors := errors
		if body != nil {
			errors = append(slices.Clone(errors), http.StatusRequestEntityTooLarge)
		}
		return route.Route{Method: method, Path: path + "/members", Right: access.Look, Object: "board", Handler: s.asked("board-members", handle), Doc: route.Doc{
			ID: id, Tag: "leaderboards", Summary: summary, Params: params, Body: body, Errors: errors,
			About:   "Each row has `rank`, the rank among all, and `among`, the rank among those that were asked for. A member that is not there has null for both, and comes last.",
			Replies: json(leaderboard.Answer{}, "The members, the best first"),
		}}
	}
	return route.Table{
		{Method: http.MethodGet, Path: "/v1/leaderboards", Right: access.Look, Handler: s.timed("boards", b.list), Doc: route.Doc{
			ID: "listLeaderboards", Tag: "leaderboards", Summary: "The leaderboards that the caller may read",
			Replies: json(BoardList{}, "All of them, by name"),
		}},
		{Method: http.MethodGet, Path: path, Right: access.Look, Object: "board", Handler: s.asked("board", b.info), Doc: route.Doc{
			ID: "getLeaderboard", Tag: "leaderboards", Summary: "A leaderboard's definition, and how many members it ranks now",
			Params: []route.Param{name, scope[3]}, Replies: json(BoardState{}, "Definition and windows"), Errors: errors,
		}},
		{Method: http.MethodGet, Path: path + "/top", Right: access.Look, Object: "board", Handler: s.asked("board-top", b.top), Doc: route.Doc{
			ID: "getTop", Tag: "leaderboards", Summary: "The best members, page by page",
			About: "Pages follow each other by `after`, with `next` of the page before; a page costs the same however deep it lies.",
			Params: with(
				about(n, fmt.Sprintf("Rows, 1 to %d. Default: %d", leaderboard.MaxRows, defaultTop)),
				route.Param{Name: "offset", In: "query", Type: "integer", About: fmt.Sprintf("Rows to leave out, at most %d", leaderboard.MaxOffset), Example: "0"},
				route.Param{Name: "after", In: "query", Type: "string", About: "Cursor: `next` of the page before"},
			),
			Replies: json(leaderboard.Answer{}, "The page; empty where the window has no members"), Errors: errors,
		}},
		{Method: http.MethodGet, Path: path + "/live", Right: access.Look, Object: "board", Handler: s.streamed(b.liveTop), Doc: route.Doc{
			ID: "watchTop", Tag: "leaderboards", Summary: "The best members, again whenever they change",
			About: aboutLive,
			Params: with(
				about(n, fmt.Sprintf("Rows, 1 to %d. Default: %d", leaderboard.MaxRows, defaultTop)),
				route.Param{Name: "offset", In: "query", Type: "integer", About: fmt.Sprintf("Rows to leave out, at most %d", leaderboard.MaxOffset), Example: "0"},
				everyParam,
			),
			Replies: streamReplies(leaderboard.Answer{}), Errors: errors,
		}},
		{Method: http.MethodGet, Path: path + "/rank/{member}", Right: access.Look, Object: "board", Handler: s.asked("board-rank", b.rank), Doc: route.Doc{
			ID: "getRank", Tag: "leaderboards", Summary: "A member's rank, score and percentile",
			Params: with(member), Replies: json(leaderboard.Standing{}, "Where it stands"), Errors: errors,
		}},
		{Method: http.MethodGet, Path: path + "/around/{member}", Right: access.Look, Object: "board", Handler: s.asked("board-around", b.around), Doc: route.Doc{
			ID: "getAround", Tag: "leaderboards", Summary: "A member and its neighbours",
			Params:  with(member, about(n, fmt.Sprintf("Rows on each side, 1 to %d. Default: %d", leaderboard.MaxRows/2, defaultAround))),
			Replies: json(leaderboard.Answer{}, "The member in the middle, unless it is near an end"), Errors: errors,
		}},
		friends(http.MethodGet, "getMembers", "Some members, ranked among themselves",
			with(route.Param{Name: "m", In: "query", Type: "string", Required: true, Repeated: true, About: fmt.Sprintf("A member; at most %d", leaderboard.MaxMembers), Example: "u1"}),
			nil, b.membersOfQuery),
		friends(http.MethodPost, "postMembers", "Some members, ranked among themselves, where they are many", scope,
			&route.Body{Types: []string{"application/json"}, Value: []string{}, About: fmt.Sprintf("The members, at most %d", leaderboard.MaxMembers), Example: `["u1", "u2"]`}, b.membersOfBody),
	}
}

func infoOf(v *catalog.View) BoardInfo {
	b := v.Board
	info := BoardInfo{
		Name: v.Plan.Name, Stream: v.Plan.Stream.Name, Member: b.Member.Name, Type: b.Member.Type.String(), Score: b.Score.Name,
		Order: "asc", Tie: "shared", Windows: b.WindowNames(), Batch: v.Plan.Cron, SQL: v.SQL,
	}
	if len(b.Windows) > 1 || b.Windows[0].Name != plan.WholeTime {
		info.Keep = plan.FormatDuration(b.Keep)
	}
	if b.Desc {
		info.Order = "desc"
	}
	if b.First {
		info.Tie = "first"
	}
	return info
}

func (b *boardServer) list(w http.ResponseWriter, r *http.Request) error {
	out := BoardList{Leaderboards: []BoardInfo{}}
	caller := access.From(r.Context())
	for _, v := range b.boards.Leaderboards() {
		if caller.May(access.Look, v.Plan.Name) {
			out.Leaderboards = append(out.Leaderboards, infoOf(v))
		}
	}
	return route.WriteJSON(w, http.StatusOK, out)
}

func (b *boardServer) info(w http.ResponseWriter, r *http.Request) error {
	s, err := b.scope(r.PathValue("board"), r.URL.Query(), "wait")
	if err != nil {
		return err
	}
	out := BoardState{BoardInfo: infoOf(s.Board)}
	for _, name := range s.Board.Board.WindowNames() {
		s.Window = name
		size, err := within(b, r, func(ctx context.Context) (*leaderboard.Size, error) { return b.ranks.Size(ctx, s) })
		if err != nil {
			return err
		}
		out.Now = append(out.Now, *size)
	}
	return route.WriteJSON(w, http.StatusOK, out)
}

func (b *boardServer) top(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	s, err := b.scope(r.PathValue("board"), values, "window", "at", "wait", "n", "offset", "after")
	if err != nil {
		return err
	}
	n, offset, err := page(values)
	if err != nil {
		return err
	}
	return answerWithin(b, w, r, func(ctx context.Context) (*leaderboard.Answer, error) {
		return b.ranks.Top(ctx, s, n, offset, values.Get("after"))
	})
}

// page reads how many rows of a leaderboard are asked for, and how many are left out.
func page(values url.Values) (n, offset int, err error) {
	if n, err = whole(values, "n", defaultTop, 1, leaderboard.MaxRows); err != nil {
		return 0, 0, err
	}
	offset, err = whole(values, "offset", 0, 0, leaderboard.MaxOffset)
	return n, offset, err
}

func (b *boardServer) rank(w http.ResponseWriter, r *http.Request) error {
	s, err := b.scope(r.PathValue("board"), r.URL.Query(), "window", "at", "wait")
	if err != nil {
		return err
	}
	return answerWithin(b, w, r, func(ctx context.Context) (*leaderboard.Standing, error) {
		return b.ranks.Rank(ctx, s, r.PathValue("member"))
	})
}

func (b *boardServer) around(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	s, err := b.scope(r.PathValue("board"), values, "window", "at", "wait", "n")
	if err != nil {
		return err
	}
	n, err := whole(values, "n", defaultAround, 1, leaderboard.MaxRows/2)
	if err != nil {
		return err
	}
	return answerWithin(b, w, r, func(ctx context.Context) (*leaderboard.Answer, error) {
		return b.ranks.Around(ctx, s, r.PathValue("member"), n)
	})
}

func (b *boardServer) membersOfQuery(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	s, err := b.scope(r.PathValue("board"), values, "window", "at", "wait", "m")
	if err != nil {
		return err
	}
	return b.members(w, r, s, values["m"])
}

func (b *boardServer) membersOfBody(w http.ResponseWriter, r *http.Request) error {
	s, err := b.scope(r.PathValue("board"), r.URL.Query(), "window", "at", "wait")
	if err != nil {
		return err
	}
	var given []any
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxMembersBytes))
	d.UseNumber()
	if err := d.Decode(&given); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return problem.New(http.StatusRequestEntityTooLarge, "too-large", fmt.Sprintf("the body is longer than %d bytes", maxMembersBytes), "ask for fewer members at a time")
		}
		return problem.New(http.StatusBadRequest, "bad-body", "the body is no JSON list of members: "+err.Error(), `as in ["u1", "u2"]`)
	}
	members := make([]string, len(given))
	for i, g := range given {
		switch g := g.(type) {
		case string:
			members[i] = g
		case json.Number, bool:
			members[i] = fmt.Sprint(g)
		default:
			return problem.New(http.StatusBadRequest, "bad-body", fmt.Sprintf("member %d of the body is no text, number or truth value", i+1), `as in ["u1", "u2"]`)
		}
	}
	return b.members(w, r, s, members)
}

func (b *boardServer) members(w http.ResponseWriter, r *http.Request, s leaderboard.Scope, members []string) error {
	if len(members) == 0 || len(members) > leaderboard.MaxMembers {
		return bad("m", "give 1 to %d members, not %d", leaderboard.MaxMembers, len(members))
	}
	return answerWithin(b, w, r, func(ctx context.Context) (*leaderboard.Answer, error) {
		return b.ranks.Members(ctx, s, members)
	})
}

// scope reads what all questions have, and refuses parameters that are not among known.
func (b *boardServer) scope(board string, values url.Values, known ...string) (leaderboard.Scope, error) {
	v, err := b.boards.Leaderboard(board)
	if err != nil {
		return leaderboard.Scope{}, problem.New(http.StatusNotFound, "unknown-leaderboard", err.Error(), "")
	}
	s := leaderboard.Scope{Board: v}
	for name := range values {
		if !slices.Contains(known, name) {
			return s, bad(name, "unknown parameter; there are %s", strings.Join(known, ", "))
		}
	}
	s.Window = values.Get("window")
	if text := values.Get("at"); text != "" {
		seconds, err := parseTime("at", text, time.Now())
		if err != nil {
			return s, err
		}
		at := time.Unix(seconds, 0).UTC()
		s.At = &at
	}
	s.Wait, err = parseWait(values.Get("wait"))
	return s, err
}

// whole reads a whole number from least to most.
func whole(values url.Values, name string, fallback, least, most int) (int, error) {
	text := values.Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, bad(name, "%q is not a whole number from %d to %d", text, least, most)
	}
	return n, nil
}

// within runs a question within the limit of a query's time.
func within[T any](b *boardServer, r *http.Request, ask func(ctx context.Context) (T, error)) (T, error) {
	return withinTime(r.Context(), b.Limits.For(access.From(r.Context())), boardHint, ask)
}

// boardHint says how a question to a leaderboard stays within its time.
const boardHint = "ask for a window that is kept, or wait less"

func answerWithin[T any](b *boardServer, w http.ResponseWriter, r *http.Request, ask func(ctx context.Context) (T, error)) error {
	answer, err := within(b, r, ask)
	if err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, answer)
}
