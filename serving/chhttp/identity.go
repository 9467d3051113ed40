package chhttp

import (
	"net/http"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/serving/auth"
)

// identify finds who sent a request. The token may stand wherever a client of ClickHouse
// puts a password: a bearer token, X-ClickHouse-Key, basic authentication, or ?password=;
// the name of the user says nothing. The request that it returns has the token as a
// bearer token only, and an empty password is none.
func (s *server) identify(r *http.Request) (*http.Request, access.Principal, error) {
	bare := r.Clone(r.Context())
	query := bare.URL.Query()
	token := r.Header.Get("X-ClickHouse-Key")
	if token == "" {
		_, token, _ = r.BasicAuth()
	}
	if token == "" {
		token = query.Get("password")
	}
	if query.Has("password") || query.Has("user") {
		query.Del("password") // and with it from whatever is written about the request
		query.Del("user")
		bare.URL.RawQuery = query.Encode()
	}
	if _, _, basic := r.BasicAuth(); basic {
		bare.Header.Del("Authorization")
	}
	bare.Header.Del("X-ClickHouse-Key")
	if token != "" {
		bare.Header.Set("Authorization", "Bearer "+token)
	}
	p, err := s.Identify(bare)
	if err != nil {
		return nil, access.Principal{}, err
	}
	switch {
	case p.Role == "":
		return nil, p, auth.Unauthorized(r)
	case !p.May(access.Query, ""):
		return nil, p, auth.Forbidden(p, access.Query, "")
	}
	return bare, p, nil
}
