package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
)

// objectName is where the catalog is in the lake's store.
const objectName = "catalog.json"

// formatVersion is written into the object; a reader refuses what it does not know.
const formatVersion = 1

type document struct {
	Format  int          `json:"format"`
	Version uint64       `json:"version"`
	Counter uint64       `json:"counter"`
	Streams []definition `json:"streams"`
	Views   []definition `json:"views"`
	Reports []definition `json:"reports,omitempty"`
}

// definition is a stream, a view or a report: its SQL is planned again when it is read.
type definition struct {
	ID       string    `json:"id"`
	StreamID string    `json:"stream_id,omitempty"`
	Created  time.Time `json:"created"`
	SQL      string    `json:"sql"`
}

func (s *state) encode() ([]byte, error) {
	d := document{Format: formatVersion, Version: s.version, Counter: s.counter, Streams: []definition{}, Views: []definition{}}
	for _, st := range sorted(s.streams) {
		d.Streams = append(d.Streams, definition{ID: st.ID, Created: st.Created, SQL: st.SQL})
	}
	for _, v := range sorted(s.views) {
		d.Views = append(d.Views, definition{ID: v.ID, StreamID: v.StreamID, Created: v.Created, SQL: v.SQL})
	}
	for _, r := range sorted(s.reports) {
		d.Reports = append(d.Reports, definition{ID: r.ID, Created: r.Created, SQL: r.SQL})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // people read it: SQL is full of < and >
	e.SetIndent("", "  ")
	err := e.Encode(d)
	return b.Bytes(), err
}

func decode(data []byte) (*state, error) {
	var d document
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if d.Format != formatVersion {
		return nil, fmt.Errorf("%w: format %d, this program knows %d", ErrCorrupt, d.Format, formatVersion)
	}
	s := newState()
	s.version, s.counter = d.Version, d.Counter
	byID := make(map[string]*Stream, len(d.Streams))
	for _, def := range d.Streams {
		c, err := parse[*sql.CreateStream](def)
		if err != nil {
			return nil, err
		}
		p, err := plan.BuildStream(c)
		if err != nil {
			return nil, fmt.Errorf("plan stream %s: %w", def.ID, err)
		}
		if err := s.free(c.Name); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		st := &Stream{ID: def.ID, SQL: def.SQL, Plan: p, Created: def.Created}
		s.streams[c.Name], byID[def.ID] = st, st
	}
	for _, def := range d.Views {
		statement, err := parse[sql.Statement](def)
		if err != nil {
			return nil, err
		}
		st := byID[def.StreamID]
		if st == nil {
			return nil, fmt.Errorf("%w: view %s reads stream %s, which is not there", ErrCorrupt, def.ID, def.StreamID)
		}
		v := &View{ID: def.ID, SQL: def.SQL, StreamID: def.StreamID, Created: def.Created}
		switch c := statement.(type) {
		case *sql.CreateView:
			v.Plan, err = plan.BuildView(c, st.Plan)
		case *sql.CreateLeaderboard:
			v.Plan, v.Board, err = buildBoard(c, st.Plan)
		default:
			return nil, notOneCreate(def)
		}
		if err != nil {
			return nil, fmt.Errorf("plan view %s: %w", def.ID, err)
		}
		if err := s.free(v.Plan.Name); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		s.views[v.Plan.Name] = v
	}
	for _, def := range d.Reports {
		r, err := parse[*sql.CreateReport](def)
		if err != nil {
			return nil, err
		}
		if err := s.free(r.Name); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		s.reports[r.Name] = &Report{ID: def.ID, SQL: def.SQL, Statement: r, Created: def.Created}
	}
	return s, nil
}

// parse reads the one statement of a definition.
func parse[T sql.Statement](def definition) (T, error) {
	var none T
	statements, err := sql.Parse(def.SQL)
	if err != nil {
		return none, fmt.Errorf("parse %s: %w", def.ID, err)
	}
	if len(statements) == 1 {
		if s, ok := statements[0].(T); ok {
			return s, nil
		}
	}
	return none, notOneCreate(def)
}

func notOneCreate(def definition) error {
	return fmt.Errorf("%w: %s is not one CREATE statement", ErrCorrupt, def.ID)
}
