package redisview

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// The oldest Redis whose transactions abort when FLUSHALL removes a watched key, which
// the exactness of Flush rests on, is 6.2.
const (
	minMajor = 6
	minMinor = 2
)

// slowPing is the round trip above which flushes every 100 ms begin to suffer.
const slowPing = 20 * time.Millisecond

// checkPings is how many round trips Check measures, to report the best of them.
const checkPings = 5

// Health is what Check found.
type Health struct {
	Version         string        // of the server
	MaxmemoryPolicy string        // empty where the server does not tell
	Cluster         bool          // the server is a node of a Redis Cluster
	RoundTrip       time.Duration // best of a few pings
	// Problems are what keeps Redis from being used safely, with what to do; Warnings
	// are what makes it slow or cannot be known.
	Problems []string
	Warnings []string
}

// Check examines the Redis behind the store. An error means that it does not answer.
func (s *Store) Check(ctx context.Context) (Health, error) {
	var h Health
	for range checkPings {
		began := time.Now()
		if err := s.client.Ping(ctx).Err(); err != nil {
			return Health{}, fmt.Errorf("ping redis: %w", err)
		}
		if took := time.Since(began); h.RoundTrip == 0 || took < h.RoundTrip {
			h.RoundTrip = took
		}
	}
	if h.RoundTrip > slowPing {
		h.Warnings = append(h.Warnings, fmt.Sprintf("a round trip takes %s; put Redis nearer to millrace", h.RoundTrip))
	}
	s.checkVersion(ctx, &h)
	s.checkEviction(ctx, &h)
	return h, nil
}

// checkVersion reads version and mode from INFO server.
func (s *Store) checkVersion(ctx context.Context, h *Health) {
	info, err := s.client.Info(ctx, "server").Result()
	if err != nil {
		h.Warnings = append(h.Warnings, "the server does not tell its version: "+err.Error())
		return
	}
	fields := infoFields(info)
	h.Version = fields["redis_version"]
	h.Cluster = fields["redis_mode"] == "cluster"
	if _, single := s.client.(*redis.Client); single && h.Cluster {
		h.Problems = append(h.Problems, "the server is part of a Redis Cluster; name two or more of its hosts in the URL, as in redis://a:6379,b:6379")
	}
	if h.Version == "" {
		h.Warnings = append(h.Warnings, "the server does not tell its version")
		return
	}
	if !versionAtLeast(h.Version, minMajor, minMinor) {
		h.Problems = append(h.Problems, fmt.Sprintf("Redis %s is too old; use %d.%d or newer", h.Version, minMajor, minMinor))
	}
}

// checkEviction reads maxmemory-policy, which must not let Redis drop keys by itself.
func (s *Store) checkEviction(ctx context.Context, h *Health) {
	info, err := s.client.Info(ctx, "memory").Result()
	if err == nil {
		h.MaxmemoryPolicy = infoFields(info)["maxmemory_policy"]
	}
	switch h.MaxmemoryPolicy {
	case "noeviction":
	case "":
		h.Warnings = append(h.Warnings, "the server does not tell maxmemory-policy; make sure that it is noeviction")
	default:
		h.Problems = append(h.Problems, fmt.Sprintf(
			"maxmemory-policy is %s, which lets Redis drop partials; run CONFIG SET maxmemory-policy noeviction", h.MaxmemoryPolicy))
	}
}

// infoFields reads the name:value lines of INFO.
func infoFields(info string) map[string]string {
	fields := make(map[string]string)
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

// versionAtLeast compares the first two numbers of a dotted version.
func versionAtLeast(version string, major, minor int) bool {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return false
	}
	a, err1 := strconv.Atoi(parts[0])
	b, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (a > major || a == major && b >= minor)
}
