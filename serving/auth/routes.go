package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/serving/audit"
)

// maxRequestBytes bounds the body of POST /v1/tokens: a name and a list of objects.
const maxRequestBytes = 1 << 20

// Created is the answer to POST /v1/tokens.
type Created struct {
	Token
	Secret string `json:"token" jsonschema:"what to send as Authorization: Bearer; it is never shown again"`
}

// Listed is the answer of GET /v1/tokens.
type Listed struct {
	Tokens []Token `json:"tokens"`
}

// Whoami is the answer of GET /v1/whoami.
type Whoami struct {
	ID      string      `json:"id" jsonschema:"of the token; local: without one on the server's machine; empty: nobody"`
	Name    string      `json:"name"`
	Role    access.Role `json:"role" jsonschema:"ingest, read, sql or admin; empty: none"`
	Objects []string    `json:"objects" jsonschema:"empty: everything that the role may touch"`
}

// RoutesOptions are what the routes of tokens need.
type RoutesOptions struct {
	Tokens *Tokens
	Audit  audit.Recorder
	Log    *slog.Logger
	// KeepAdmin keeps the last admin token from being revoked: where nobody is trusted
	// without one.
	KeepAdmin bool
}

// Routes returns the routes of tokens and of whoami.
func Routes(o RoutesOptions) route.Table {
	s := &server{o}
	return route.Table{
		{Method: http.MethodPost, Path: "/v1/tokens", Right: access.Manage, Handler: s.handler(s.create), Doc: route.Doc{
			ID: "createToken", Tag: "access", Summary: "Make a token",
			About: "The answer is the only place in which the token is ever shown; what is kept is its hash.",
			Body: &route.Body{Types: []string{"application/json"}, Value: Request{}, About: "what the token is for",
				Example: `{"name": "web site", "role": "ingest", "objects": ["pages"], "expires": "720h"}`},
			Replies: []route.Reply{{Status: http.StatusCreated, Types: []string{"application/json"}, Value: Created{}, About: "the token"}},
			Errors:  []int{http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable},
		}},
		{Method: http.MethodGet, Path: "/v1/tokens", Right: access.Manage, Handler: s.handler(s.list), Doc: route.Doc{
			ID: "listTokens", Tag: "access", Summary: "All tokens",
			About:   "The oldest first. Revoked and expired tokens stay for 90 days. The secrets are not known to the server.",
			Replies: []route.Reply{{Status: http.StatusOK, Types: []string{"application/json"}, Value: Listed{}, About: "the tokens"}},
		}},
		{Method: http.MethodDelete, Path: "/v1/tokens/{id}", Right: access.Manage, Handler: s.handler(s.revoke), Doc: route.Doc{
			ID: "revokeToken", Tag: "access", Summary: "Revoke a token",
			About: "At once and for ever. Revoking again changes nothing. The last valid admin token stays where the server demands tokens.",
			Params: []route.Param{
				{Name: "id", In: "path", Type: "string", Required: true, About: "the token's `id`", Example: "k2v4q7w8x3zp"},
			},
			Replies: []route.Reply{{Status: http.StatusNoContent, About: "it is revoked"}},
			Errors:  []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
		}},
		{Method: http.MethodGet, Path: "/v1/whoami", Right: access.Public, Handler: s.handler(s.whoami), Doc: route.Doc{
			ID: "whoami", Tag: "access", Summary: "Whom the server takes you for",
			Replies: []route.Reply{{Status: http.StatusOK, Types: []string{"application/json"}, Value: Whoami{}, About: "your token without its secret"}},
		}},
	}
}

type server struct{ RoutesOptions }

// handler answers an error by problem JSON.
func (s *server) handler(handle func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		err := handle(w, r)
		if err == nil {
			return
		}
		p := problem.From(err)
		if p.Status == http.StatusInternalServerError {
			s.Log.Error("answer request", "path", r.URL.Path, "error", err)
			p = problem.New(p.Status, "internal", "the tokens cannot be written at the moment", "see the log of the server")
		}
		problem.Write(w, p)
	})
}

func (s *server) create(w http.ResponseWriter, r *http.Request) error {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return problem.New(http.StatusRequestEntityTooLarge, "too-large", fmt.Sprintf("the body is longer than %d bytes", maxRequestBytes), "name fewer objects")
		}
		return problem.New(http.StatusBadRequest, "unreadable", err.Error(), "")
	}
	request, err := decodeRequest(text)
	if err != nil {
		return err
	}
	var made Created
	about := fmt.Sprintf("%s %q %q until %q", request.Role, request.Name, request.Objects, request.Expires)
	err = audit.Act(r.Context(), s.Audit, "token.create", about, func(ctx context.Context) (int64, error) {
		made.Token, made.Secret, err = s.Tokens.Create(ctx, request)
		return 0, err
	})
	if err != nil {
		return err
	}
	if made.Objects == nil {
		made.Objects = []string{}
	}
	return route.WriteJSON(w, http.StatusCreated, made)
}

func decodeRequest(text []byte) (Request, error) {
	var r Request
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&r)
	if err == nil && d.More() {
		err = errors.New("there is more than one value")
	}
	if err != nil {
		return r, problem.New(http.StatusBadRequest, "bad-token-request", "the body is not the JSON of a token request: "+err.Error(),
			`send {"name": "…", "role": "ingest|read|sql|admin", "objects": ["…"], "expires": "720h"}`)
	}
	return r, nil
}

func (s *server) list(w http.ResponseWriter, _ *http.Request) error {
	return route.WriteJSON(w, http.StatusOK, Listed{s.Tokens.List()})
}

func (s *server) revoke(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	err := audit.Act(r.Context(), s.Audit, "token.revoke", id, func(ctx context.Context) (int64, error) {
		return 0, s.Tokens.Revoke(ctx, id, s.KeepAdmin)
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) whoami(w http.ResponseWriter, r *http.Request) error {
	p := access.From(r.Context())
	who := Whoami{ID: p.ID, Name: p.Name, Role: p.Role, Objects: p.Objects}
	if who.Objects == nil {
		who.Objects = []string{}
	}
	return route.WriteJSON(w, http.StatusOK, who)
}
