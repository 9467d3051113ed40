package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

// options are the values of a WITH (…) by name.
type options map[string]sql.Option

// newOptions refuses names that are unknown or given twice.
func newOptions(given []sql.Option, known []string) (options, error) {
	o := make(options, len(given))
	for _, g := range given {
		if !slices.Contains(known, g.Name) {
			hint := "options are " + strings.Join(known, ", ")
			if near := sql.Nearest(g.Name, known); near != "" {
				hint = fmt.Sprintf("did you mean %s? %s", near, hint)
			}
			return nil, refuse(g.Pos, hint, "unknown option %s", sql.QuoteName(g.Name))
		}
		if _, twice := o[g.Name]; twice {
			return nil, refuse(g.Pos, "", "option %s is given twice", g.Name)
		}
		o[g.Name] = g
	}
	return o, nil
}

// text returns the named option's string, or fallback where it is not given.
func (o options) text(name, fallback string) (string, error) {
	g, ok := o[name]
	if !ok {
		return fallback, nil
	}
	s, ok := g.Value.Value.(string)
	if !ok {
		return "", refuse(g.Value.Pos, fmt.Sprintf("as in %s = '…'", name), "option %s must be a string", name)
	}
	return s, nil
}

// choice returns the named option's string, which must be one of the known.
func (o options) choice(name, fallback string, known ...string) (string, error) {
	value, err := o.text(name, fallback)
	if err != nil {
		return "", err
	}
	for _, k := range known {
		if value == k {
			return value, nil
		}
	}
	hint := "it is " + strings.Join(known, " or ")
	if near := sql.Nearest(value, known); near != "" {
		hint = fmt.Sprintf("did you mean %s? %s", near, hint)
	}
	return "", refuse(o[name].Value.Pos, hint, "option %s cannot be %s", name, sql.QuoteString(value))
}

// duration returns the named option's duration, which must be longer than zero, or
// fallback where it is not given.
func (o options) duration(name string, fallback time.Duration) (time.Duration, error) {
	g, ok := o[name]
	if !ok {
		return fallback, nil
	}
	const form = "as in '90s', '72h' or '7d'"
	s, ok := g.Value.Value.(string)
	if !ok {
		return 0, refuse(g.Value.Pos, form, "option %s must be a duration in quotes", name)
	}
	d, err := ParseDuration(s)
	if err != nil {
		return 0, refuse(g.Value.Pos, form, "option %s: %v", name, err)
	}
	if d <= 0 {
		return 0, refuse(g.Value.Pos, form, "option %s must be longer than zero", name)
	}
	return d, nil
}

// count returns the named option's whole number, which must be from 1 to most.
func (o options) count(name string, fallback, most int) (int, error) {
	g, ok := o[name]
	if !ok {
		return fallback, nil
	}
	n, ok := g.Value.Value.(int64)
	if !ok || n < 1 || n > int64(most) {
		return 0, refuse(g.Value.Pos, "", "option %s must be a whole number from 1 to %d", name, most)
	}
	return int(n), nil
}

// columns returns the places of the columns that the named option lists.
func (o options) columns(name string, schema *event.Schema) ([]int, error) {
	list, err := o.text(name, "")
	if err != nil || list == "" {
		return nil, err
	}
	pos := o[name].Value.Pos
	var places []int
	for _, column := range strings.Split(list, ",") {
		place, err := columnOf(strings.TrimSpace(column), pos, schema)
		if err != nil {
			return nil, err
		}
		for _, p := range places {
			if p == place {
				return nil, refuse(pos, "", "option %s names column %s twice", name, sql.QuoteName(strings.TrimSpace(column)))
			}
		}
		places = append(places, place)
	}
	return places, nil
}

// columnOf finds a declared column by name.
func columnOf(name string, pos sql.Pos, schema *event.Schema) (int, error) {
	if place := schema.Index(name); place >= 0 && name != event.ExtraColumn {
		return place, nil
	}
	var declared []string
	for _, c := range schema.Columns {
		if c.Name != event.ExtraColumn {
			declared = append(declared, c.Name)
		}
	}
	hint := "columns are " + strings.Join(declared, ", ")
	if near := sql.Nearest(name, declared); near != "" {
		hint = fmt.Sprintf("did you mean %s? %s", near, hint)
	}
	return 0, refuse(pos, hint, "there is no column %s", sql.QuoteName(name))
}
