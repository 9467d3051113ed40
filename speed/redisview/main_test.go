package redisview

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/speed/embedded/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// onEach runs a test on a real redis-server and on miniredis.
func onEach(t *testing.T, f func(t *testing.T, s *Store)) {
	for name, inProcess := range map[string]bool{"redis-server": false, "miniredis": true} {
		t.Run(name, func(t *testing.T) { f(t, open(t, inProcess)) })
	}
}

// open returns a store in a Redis of its own.
func open(tb testing.TB, inProcess bool) *Store {
	tb.Helper()
	s, err := Open(redistest.Start(tb, inProcess).URL())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

// errInjected is what an injected fault returns.
var errInjected = errors.New("connection lost by the test")

// fault says what happens to the next transaction's EXEC.
type fault int32

const (
	none       fault = iota
	before           // it never reaches the server
	afterwards       // it is executed and the answer is lost
)

// faults is a hook that loses connections at transactions.
type faults struct{ next atomic.Int32 }

func (f *faults) set(k fault) { f.next.Store(int32(k)) }

func (f *faults) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (f *faults) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (f *faults) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[len(cmds)-1].Name() != "exec" {
			return next(ctx, cmds)
		}
		switch fault(f.next.Swap(int32(none))) {
		case before:
			return errInjected
		case afterwards:
			if err := next(ctx, cmds); err != nil {
				return err
			}
			return errInjected
		}
		return next(ctx, cmds)
	}
}
