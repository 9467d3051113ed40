// Package redisboard keeps the leaderboards in Redis: for each window of a leaderboard the
// members' totals, and the same members in the order of their ranks.
//
// The one invariant: totals, order and the position that they stand for change in one
// atomic transaction, and only for the writer with the newest fencing token; so that
// whoever reads them in one transaction reads the leaderboard as it was at one position.
package redisboard

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/ranking"
	"github.com/millrace/millrace/speed/redisview"
)

// perCommand is the most members of one command: commands of a thousand cost what larger
// ones do per member, and never block the server for long.
const perCommand = 1000

// Store is the leaderboards' part of a Redis. It is safe for concurrent use.
type Store struct{ client redis.UniversalClient }

// New returns the store in the Redis of an open client, which stays the caller's to close.
func New(client redis.UniversalClient) *Store { return &Store{client: client} }

// ErrUnreadable says that what Redis holds is no state of a leaderboard as this program
// writes it. It is built again.
var ErrUnreadable = errors.New("the state is not readable")

// Checkpoint is the position of a leaderboard's state in one partition.
type Checkpoint struct {
	redisview.Checkpoint
	// Floor is the time, in seconds since 1970, before which windows are not kept: those
	// that end at it or before are not here.
	Floor int64
	// Building says that the state is being filled from the batch layer and must not be
	// read.
	Building bool
}

// NoFloor keeps windows of all times.
const NoFloor = -1 << 63

// Board names a leaderboard's state in one partition.
type Board struct {
	ID        string
	Plan      *plan.Board
	Partition int
}

// Total is what is kept of a member in a window.
type Total struct {
	Key    []byte // see package ranking; empty: the member is not ranked
	States []byte
}

// Touched are members of one window whose totals change.
type Touched struct {
	Instance ranking.Instance
	Members  [][]byte
}

// prefix is what all keys of a leaderboard's partition begin with. The braces make them
// one hash slot of a cluster.
func (b Board) prefix() string { return "mb:{" + b.ID + ":" + strconv.Itoa(b.Partition) + "}:" }

func (b Board) posKey() string     { return b.prefix() + "pos" }
func (b Board) windowsKey() string { return b.prefix() + "windows" }

// totalsKey is the hash of an instance, orderKey its sorted set.
func (b Board) totalsKey(i ranking.Instance) string { return b.prefix() + "t:" + b.name(i) }
func (b Board) orderKey(i ranking.Instance) string  { return b.prefix() + "z:" + b.name(i) }

// name writes an instance as all, or as day:1763856000.
func (b Board) name(i ranking.Instance) string {
	w := b.Plan.Windows[i.Window]
	if w.Window.Unit == plan.NoUnit {
		return w.Name
	}
	return w.Name + ":" + strconv.FormatInt(i.Start, 10)
}

// instance reverses name.
func (b Board) instance(name string) (ranking.Instance, error) {
	window, start, timed := strings.Cut(name, ":")
	for i, w := range b.Plan.Windows {
		if w.Name != window || timed == (w.Window.Unit == plan.NoUnit) {
			continue
		}
		if !timed {
			return ranking.Instance{Window: i}, nil
		}
		at, err := strconv.ParseInt(start, 10, 64)
		if err != nil {
			break
		}
		return ranking.Instance{Window: i, Start: at}, nil
	}
	return ranking.Instance{}, fmt.Errorf("%w: leaderboard %s has no window %q", ErrUnreadable, b.ID, name)
}

// words of a checkpoint's last field.
const (
	wordBuilding = "building"
	wordReady    = "ready"
)

// encode writes the checkpoint as text: that of redisview, the floor, and whether it is
// being built.
func (c Checkpoint) encode() string {
	word := wordReady
	if c.Building {
		word = wordBuilding
	}
	return c.Encode() + " " + strconv.FormatInt(c.Floor, 10) + " " + word
}

func decodeCheckpoint(s string) (Checkpoint, error) {
	rest, word, _ := cutLast(s)
	position, floor, ok := cutLast(rest)
	if !ok || word != wordReady && word != wordBuilding {
		return Checkpoint{}, fmt.Errorf("decode checkpoint of a leaderboard %.100q", s)
	}
	view, err := redisview.DecodeCheckpoint(position)
	if err != nil {
		return Checkpoint{}, err
	}
	at, err := strconv.ParseInt(floor, 10, 64)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("decode checkpoint of a leaderboard %.100q: %w", s, err)
	}
	return Checkpoint{Checkpoint: view, Floor: at, Building: word == wordBuilding}, nil
}

// cutLast cuts a text at its last space.
func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// parsed decodes the reply of a GET of a checkpoint.
func parsed(reply *redis.StringCmd) (c Checkpoint, ok bool, err error) {
	v, err := reply.Result()
	if errors.Is(err, redis.Nil) {
		return Checkpoint{}, false, nil
	}
	if err != nil {
		return Checkpoint{}, false, err
	}
	if c, err = decodeCheckpoint(v); err != nil {
		return Checkpoint{}, false, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return c, true, nil
}

// Load returns the checkpoint of a leaderboard's partition and the windows that it has; ok
// is false where there is none.
func (s *Store) Load(ctx context.Context, b Board) (c Checkpoint, windows []ranking.Instance, ok bool, err error) {
	p := s.client.TxPipeline()
	pos, names := p.Get(ctx, b.posKey()), p.SMembers(ctx, b.windowsKey())
	if _, err = p.Exec(ctx); err == nil || errors.Is(err, redis.Nil) {
		c, ok, err = parsed(pos)
	}
	for _, name := range names.Val() {
		if err != nil {
			break
		}
		var i ranking.Instance
		if i, err = b.instance(name); err == nil {
			windows = append(windows, i)
		}
	}
	if err != nil {
		return Checkpoint{}, nil, false, fmt.Errorf("load leaderboard %s/%d: %w", b.ID, b.Partition, err)
	}
	return c, windows, ok, nil
}

// initial is the checkpoint of a state that is being built by the writer of a token.
func initial(fence uint64) Checkpoint {
	return Checkpoint{Checkpoint: redisview.Checkpoint{Fence: fence, Epoch: event.NoEpoch, Base: event.NoEpoch}, Floor: NoFloor, Building: true}
}
