package vet

import (
	"fmt"
	"strconv"
	"strings"
)

// node is one node of the engine's syntax tree, as EXPLAIN AST prints it.
type node struct {
	kind     string // such as Function
	name     string // what follows the kind, up to its alias
	alias    string
	children []*node
	depth    int
}

// parseTree reads the lines of EXPLAIN AST: each node indented by its depth, with the
// number of its children. A tree whose numbers do not fit is refused: a name with a line
// break in it would look like nodes of its own.
func parseTree(lines []string) (*node, error) {
	var path []*node // from the root to the last node
	expect := map[*node]int{}
	for i, line := range lines {
		n, children, err := parseNode(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		switch {
		case n.depth == 0 && i > 0, n.depth > len(path):
			return nil, fmt.Errorf("line %d: a node at depth %d below depth %d", i+1, n.depth, len(path)-1)
		case n.depth > 0:
			parent := path[n.depth-1]
			parent.children = append(parent.children, n)
		}
		path = append(path[:n.depth], n)
		expect[n] = children
	}
	if len(path) == 0 {
		return nil, fmt.Errorf("the tree is empty")
	}
	for n, children := range expect {
		if len(n.children) != children {
			return nil, fmt.Errorf("%s has %d children, not %d", n.kind, len(n.children), children)
		}
	}
	return path[0], nil
}

// parseNode reads "   Kind name (alias a) (children 2)". No name of a function or table has
// a parenthesis, so the first one ends it.
func parseNode(line string) (*node, int, error) {
	trimmed := strings.TrimLeft(line, " ")
	n := &node{depth: len(line) - len(trimmed)}
	if strings.HasPrefix(trimmed, "Literal ") {
		n.kind, n.name = "Literal", trimmed[len("Literal "):] // its text may hold anything
		return n, 0, nil
	}
	children := 0
	if at := strings.LastIndex(trimmed, " (children "); at >= 0 {
		digits, ok := strings.CutSuffix(trimmed[at+len(" (children "):], ")")
		count, err := strconv.Atoi(digits)
		if !ok || err != nil {
			return nil, 0, fmt.Errorf("%q has no number of children", trimmed)
		}
		trimmed, children = trimmed[:at], count
	}
	n.kind, n.name, _ = strings.Cut(trimmed, " ")
	if strings.HasPrefix(n.name, "(") { // a kind without a name, with an alias
		n.name = " " + n.name
	}
	name, rest, _ := strings.Cut(n.name, " (")
	if alias, ok := strings.CutPrefix(rest, "alias "); ok {
		n.alias = strings.TrimSuffix(alias, ")")
	}
	n.name = name
	return n, children, nil
}
