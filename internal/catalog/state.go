package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/sql"
)

// state is one version of the catalog. It is immutable once published.
type state struct {
	version uint64
	counter uint64
	streams map[string]*Stream
	views   map[string]*View
	reports map[string]*Report
}

func newState() *state {
	return &state{streams: make(map[string]*Stream), views: make(map[string]*View), reports: make(map[string]*Report)}
}

func (s *state) clone() *state {
	return &state{version: s.version, counter: s.counter, streams: maps.Clone(s.streams), views: maps.Clone(s.views), reports: maps.Clone(s.reports)}
}

func (s *state) stream(name string) (*Stream, error) {
	if out, ok := s.streams[name]; ok {
		return out, nil
	}
	if _, ok := s.views[name]; ok {
		return nil, fmt.Errorf("stream %q %w; it is a view", name, ErrNotFound)
	}
	if _, ok := s.reports[name]; ok {
		return nil, fmt.Errorf("stream %q %w; it is a report", name, ErrNotFound)
	}
	return nil, fmt.Errorf("stream %q %w%s", name, ErrNotFound, hint(name, s.streams))
}

func (s *state) view(name string) (*View, error) {
	if out, ok := s.views[name]; ok {
		return out, nil
	}
	if _, ok := s.streams[name]; ok {
		return nil, fmt.Errorf("view %q %w; it is a stream", name, ErrNotFound)
	}
	return nil, fmt.Errorf("view %q %w%s", name, ErrNotFound, hint(name, s.views))
}

func (s *state) leaderboard(name string) (*View, error) {
	if out, ok := s.views[name]; ok && out.Board != nil {
		return out, nil
	}
	for kind, there := range map[string]bool{"view": s.views[name] != nil, "stream": s.streams[name] != nil} {
		if there {
			return nil, fmt.Errorf("leaderboard %q %w; it is a %s", name, ErrNotFound, kind)
		}
	}
	return nil, fmt.Errorf("leaderboard %q %w%s", name, ErrNotFound, hint(name, s.leaderboards()))
}

func (s *state) leaderboards() map[string]*View {
	boards := make(map[string]*View)
	for name, v := range s.views {
		if v.Board != nil {
			boards[name] = v
		}
	}
	return boards
}

func (s *state) report(name string) (*Report, error) {
	if out, ok := s.reports[name]; ok {
		return out, nil
	}
	for kind, there := range map[string]bool{"view": s.views[name] != nil, "stream": s.streams[name] != nil} {
		if there {
			return nil, fmt.Errorf("report %q %w; it is a %s", name, ErrNotFound, kind)
		}
	}
	return nil, fmt.Errorf("report %q %w%s", name, ErrNotFound, hint(name, s.reports))
}

// free says whether a name can be given away.
func (s *state) free(name string) error {
	if _, ok := s.streams[name]; ok {
		return fmt.Errorf("stream %q %w", name, ErrExists)
	}
	if _, ok := s.views[name]; ok {
		return fmt.Errorf("view %q %w", name, ErrExists)
	}
	if _, ok := s.reports[name]; ok {
		return fmt.Errorf("report %q %w", name, ErrExists)
	}
	return nil
}

// unused says whether no view reads a stream.
func (s *state) unused(stream *Stream) error {
	var users []string
	for name, v := range s.views {
		if v.StreamID == stream.ID {
			users = append(users, name)
		}
	}
	if users == nil {
		return nil
	}
	slices.Sort(users)
	return fmt.Errorf("stream %q %w by view %s; drop that first", stream.Plan.Name, ErrInUse, strings.Join(users, ", "))
}

func sorted[T any](m map[string]T) []T {
	out := make([]T, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[name])
	}
	return out
}

// hint names the nearest of the known names, if one is near.
func hint[T any](name string, known map[string]T) string {
	if near := sql.Nearest(name, slices.Sorted(maps.Keys(known))); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}
