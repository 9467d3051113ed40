// Package redisview keeps the speed layer's partials in Redis.
//
// The one invariant: partials and the position that they stand for change in one
// atomic transaction, and only for the writer with the newest fencing token.
package redisview

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/millrace/millrace/internal/event"
)

// Partial is one group of one epoch: key and states as agg.Table encodes them.
type Partial struct{ Key, States []byte }

// ErrLost says that Redis no longer holds the position that the writer left there: its
// state was flushed, evicted or rolled back. What is there now, if anything, is still
// whole at its own position; the writer loads that, or builds again from the cut.
var ErrLost = errors.New("speed state was lost")

// ErrFenced says that a newer writer has taken over.
var ErrFenced = errors.New("a newer writer has taken over")

// ErrStaleCut says that epochs after the reader's cut are gone from Redis, because a
// later cut was published meanwhile. The reader takes the newer publication and asks again.
var ErrStaleCut = errors.New("the speed layer has dropped epochs after this cut")

// maxAttempts bounds how often one operation starts again because another client
// changed the keys under it. Writers of one partition are one at a time, so that even
// a second attempt is rare.
const maxAttempts = 8

// errContended is returned after maxAttempts; the caller may simply try again.
var errContended = errors.New("keys kept changing under the transaction")

// Store is the speed layer's part of a Redis. It is safe for concurrent use.
type Store struct {
	client redis.UniversalClient
}

// New returns the store in the Redis of an open client, which stays the caller's to close.
func New(client redis.UniversalClient) *Store { return &Store{client: client} }

// Open connects to the Redis at a URL: redis://, rediss:// (TLS) or unix://, with
// go-redis' query parameters. Several hosts, as in redis://a:6379,b:6379, are the
// seeds of a Redis Cluster. It does not wait for the server; see Check. A server that is
// gone is noticed at once, since the callers have pauses and retries of their own.
func Open(address string) (*Store, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("parse redis URL: %w", err)
	}
	hosts := strings.Split(u.Host, ",")
	if len(hosts) == 1 {
		o, err := redis.ParseURL(address)
		if err != nil {
			return nil, fmt.Errorf("parse redis URL: %w", err)
		}
		o.ContextTimeoutEnabled = true
		o.DialerRetries = max(o.DialerRetries, 1)
		if o.MaxRetries == 0 {
			o.MaxRetries = -1 // none: of a server that hangs each would take a whole timeout
		}
		return New(redis.NewClient(o)), nil
	}
	u.Host = hosts[0]
	q := u.Query()
	for _, h := range hosts[1:] {
		q.Add("addr", h)
	}
	u.RawQuery = q.Encode()
	o, err := redis.ParseClusterURL(u.String())
	if err != nil {
		return nil, fmt.Errorf("parse redis cluster URL: %w", err)
	}
	o.ContextTimeoutEnabled = true
	o.DialerRetries = max(o.DialerRetries, 1)
	return New(redis.NewClusterClient(o)), nil
}

// Client returns the connection, for the parts of the speed layer with keys of their own.
func (s *Store) Client() redis.UniversalClient { return s.client }

// Close closes the connections.
func (s *Store) Close() error { return s.client.Close() }

// prefix is what all keys of a view's partition begin with. The braces make them one
// hash slot of a cluster, which a transaction needs.
func prefix(view string, partition int) string {
	return "mr:{" + view + ":" + strconv.Itoa(partition) + "}:"
}

func posKey(view string, partition int) string    { return prefix(view, partition) + "pos" }
func epochsKey(view string, partition int) string { return prefix(view, partition) + "epochs" }

func epochKey(view string, partition int, e event.Epoch) string {
	return prefix(view, partition) + "e:" + strconv.FormatInt(int64(e), 10)
}

// parseEpochs reads the members of the epochs set, in any order.
func parseEpochs(members []string) ([]event.Epoch, error) {
	epochs := make([]event.Epoch, len(members))
	for i, m := range members {
		n, err := strconv.ParseInt(m, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("parse epoch %q: %w", m, err)
		}
		epochs[i] = event.Epoch(n)
	}
	return epochs, nil
}

// transact runs fn with the partition's position watched, again where another client
// changed it before fn's EXEC.
func (s *Store) transact(ctx context.Context, view string, partition int, fn func(*redis.Tx) error, more ...string) error {
	return Transact(ctx, s.client, fn, append([]string{posKey(view, partition)}, more...)...)
}

// Transact runs fn with keys watched, again where another client changed one of them
// before fn's EXEC.
func Transact(ctx context.Context, client redis.UniversalClient, fn func(*redis.Tx) error, keys ...string) error {
	for range maxAttempts {
		err := client.Watch(ctx, fn, keys...)
		if !errors.Is(err, redis.TxFailedErr) {
			return err
		}
	}
	return errContended
}
