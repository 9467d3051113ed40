package redisview

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// SetLogger sends what go-redis says of its connections, which it otherwise prints, to a
// logger at debug level: whoever called gets the error itself. It is for the start of the
// process, since go-redis has one logger for all clients.
func SetLogger(log *slog.Logger) { redis.SetLogger(logger{log}) }

type logger struct{ log *slog.Logger }

// Printf implements go-redis' logger.
func (l logger) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, fmt.Sprintf(format, args...), "layer", "redis client")
}
