// Package access says who may do what: roles, rights, and the principal of a request.
//
// The one invariant: nothing is allowed by default. The zero Principal may do what is
// public and no more, and so may a request that carries none.
package access

import (
	"context"
	"slices"
)

// Role is what a token was made for.
type Role string

// The roles. Each of Read, SQL and Admin may do what those before it may.
const (
	Ingest Role = "ingest" // append to its streams, and nothing else
	Read   Role = "read"   // read its views and leaderboards
	SQL    Role = "sql"    // and run SELECT over its views and streams
	Admin  Role = "admin"  // everything, on everything
)

// Roles lists the roles, the weakest first.
var Roles = []Role{Ingest, Read, SQL, Admin}

// Right is what a route or statement asks for.
type Right string

// The rights. Append and Query are on an object: a stream, view or leaderboard.
const (
	Public Right = "public" // whoever comes
	Append Right = "append" // append events to a stream
	Look   Right = "look"   // read a view or leaderboard
	Query  Right = "query"  // run SELECT, in which each table is looked at
	Watch  Right = "watch"  // see figures of every stream and view at once, such as the metrics
	Manage Right = "manage" // define, run jobs, replay, see tokens and the audit log
)

// Rights lists the rights.
var Rights = []Right{Public, Append, Look, Query, Watch, Manage}

// Principal is who sent a request.
type Principal struct {
	ID   string // of the token; "local" without one on loopback
	Name string // for people
	Role Role
	// Objects are the streams that an ingest token may append to, or the views, streams
	// and leaderboards that a read or sql token may read. Nil is all of them.
	Objects []string
}

// Root may do everything: the process itself, and tests.
var Root = Principal{ID: "root", Name: "root", Role: Admin}

// May reports whether the principal has a right on an object; the empty object stands
// for none in particular.
func (p Principal) May(right Right, object string) bool {
	switch right {
	case Public:
		return true
	case Append:
		return (p.Role == Ingest || p.Role == Admin) && p.has(object)
	case Look:
		return (p.Role == Read || p.Role == SQL || p.Role == Admin) && p.has(object)
	case Query:
		return (p.Role == SQL || p.Role == Admin) && p.has(object)
	case Watch:
		return (p.Role == Read || p.Role == SQL) && p.Objects == nil || p.Role == Admin
	case Manage:
		return p.Role == Admin
	}
	return false
}

func (p Principal) has(object string) bool {
	return object == "" || p.Role == Admin || p.Objects == nil || slices.Contains(p.Objects, object)
}

type principalKey struct{}

// With returns a context that carries the principal.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From returns the principal of a context; the zero one where there is none.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}
