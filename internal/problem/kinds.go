package problem

import "net/http"

// ContentType is that of every error.
const ContentType = "application/problem+json"

// Kind is a type of problem, for the API description.
type Kind struct {
	Name   string `json:"name"` // its type is /problems/Name
	Status int    `json:"status"`
	About  string `json:"about"`
}

// Kinds lists every type of problem that the server answers with. A test compares it with
// the calls of New in the code.
var Kinds = []Kind{
	{"bad-body", http.StatusBadRequest, "the body is not the JSON that is asked for"},
	{"bad-cursor", http.StatusBadRequest, "the cursor is not one of this leaderboard's answers"},
	{"bad-member", http.StatusBadRequest, "the member cannot be a value of the leaderboard's column"},
	{"bad-parameter", http.StatusBadRequest, "a parameter of the address is unknown or has a value that it cannot have"},
	{"bad-token-request", http.StatusBadRequest, "what is asked for is no token that can be made"},
	{"bad-window", http.StatusBadRequest, "the leaderboard has no such window"},
	{"broken-body", http.StatusBadRequest, "the body ended early"},
	{"broken-gzip", http.StatusBadRequest, "the body is not whole gzip"},
	{"broken-zstd", http.StatusBadRequest, "the body is not whole zstd"},
	{"idempotency-key", http.StatusBadRequest, "the Idempotency-Key is too long"},
	{"malformed-body", http.StatusBadRequest, "the body cannot be taken apart into rows; `offset` says where"},
	{"query-refused", http.StatusBadRequest, "the engine refuses the query"},
	{"readonly-setting", http.StatusBadRequest, "a query may not change this setting"},
	{"sql", http.StatusBadRequest, "the statement is wrong; `line`, `column` and `offset` say where"},
	{"unknown-column", http.StatusBadRequest, "the view has no such column"},
	{"unknown-format", http.StatusBadRequest, "the answer cannot be written in this format"},
	{"unreadable", http.StatusBadRequest, "the body could not be read"},
	{"token-expired", http.StatusUnauthorized, "the token's time is over"},
	{"token-in-address", http.StatusUnauthorized, "this token may not be sent in the address, or not here"},
	{"token-malformed", http.StatusUnauthorized, "what was sent cannot be a token"},
	{"token-missing", http.StatusUnauthorized, "this needs a token"},
	{"token-revoked", http.StatusUnauthorized, "the token was revoked"},
	{"token-unknown", http.StatusUnauthorized, "the token is not one of this server"},
	{"forbidden", http.StatusForbidden, "the token lacks the right, which is named"},
	{"readonly", http.StatusForbidden, "the ClickHouse endpoint changes nothing"},
	{"origin", http.StatusForbidden, "pages of this origin may not ask this server"},
	{"no-route", http.StatusNotFound, "there is no such path"},
	{"not-found", http.StatusNotFound, "there is no stream or view of this name"},
	{"unknown-database", http.StatusNotFound, "there is no such database"},
	{"unknown-leaderboard", http.StatusNotFound, "there is no such leaderboard"},
	{"unknown-member", http.StatusNotFound, "the leaderboard does not rank this member in the window"},
	{"no-document", http.StatusNotFound, "the run has no document: it made none, or it is kept no more"},
	{"unknown-report", http.StatusNotFound, "there is no such report"},
	{"unknown-run", http.StatusNotFound, "the report has no such run, or it is kept no more"},
	{"unknown-stream", http.StatusNotFound, "there is no such stream"},
	{"unknown-token", http.StatusNotFound, "there is no token with this id"},
	{"unknown-view", http.StatusNotFound, "there is no such view"},
	{"method-not-allowed", http.StatusMethodNotAllowed, "the path has no such method; `Allow` lists those that it has"},
	{"already-exists", http.StatusConflict, "the name is taken"},
	{"in-use", http.StatusConflict, "views still read the stream"},
	{"last-admin", http.StatusConflict, "nobody could manage the server without this token"},
	{"too-many-tokens", http.StatusConflict, "the limit of tokens is reached"},
	{"body-too-large", http.StatusRequestEntityTooLarge, "the body is larger than the limit"},
	{"event-too-large", http.StatusRequestEntityTooLarge, "one event is larger than an entry of the log can be"},
	{"too-large", http.StatusRequestEntityTooLarge, "the statement or request is longer than the limit"},
	{"content-encoding", http.StatusUnsupportedMediaType, "the body is compressed in a way that is not taken"},
	{"content-type", http.StatusUnsupportedMediaType, "the body is of a type that is not taken"},
	{"idempotency-key-reused", http.StatusUnprocessableEntity, "the Idempotency-Key came with another body before"},
	{"query-too-heavy", http.StatusUnprocessableEntity, "the query goes beyond a limit of its role, which is named"},
	{"too-many-bytes", http.StatusUnprocessableEntity, "the answer is larger than the limit"},
	{"too-many-rows", http.StatusUnprocessableEntity, "the answer has more rows than the limit"},
	{"too-many-queries", http.StatusTooManyRequests, "the caller's role runs as many queries as it may already"},
	{"too-many-streams", http.StatusTooManyRequests, "as many live streams are open already as this server may have"},
	{"rate-limit", http.StatusTooManyRequests, "this caller sends more requests than it may"},
	{"internal", http.StatusInternalServerError, "the server met a defect or a part of it failed"},
	{"no-query-engine", http.StatusNotImplemented, "this server has no engine for callers' queries"},
	{"not-implemented", http.StatusNotImplemented, "the ClickHouse endpoint does not do this"},
	{"backfilling", http.StatusServiceUnavailable, "the view's history is not published yet"},
	{"busy", http.StatusServiceUnavailable, "a part does not answer at the moment; nothing was done"},
	{"partly-appended", http.StatusServiceUnavailable, "only some of the events are stored; send the same request again"},
	{"query-timeout", http.StatusGatewayTimeout, "the query ran longer than its limit"},
}
