package vet

import (
	"regexp"
	"slices"
	"strings"
)

// inspector looks at the tree of one query.
type inspector struct {
	query    *Query
	tokens   []token
	approved *Approved
	ctes     map[string]bool // names before AS (: those of WITH, and more
	lambdas  map[string]bool // aliases of lambdas, which are called like functions
}

// kinds are the nodes of which a query is made. A kind that is not here is refused, also
// one that a later engine brings.
var kinds = map[string]bool{
	"SelectWithUnionQuery": true, "SelectIntersectExceptQuery": true, "SelectQuery": true, "Subquery": true, "WithElement": true,
	"ExpressionList": true, "Identifier": true, "Literal": true, "Function": true,
	"Asterisk": true, "QualifiedAsterisk": true, "ColumnsRegexpMatcher": true, "QualifiedColumnsRegexpMatcher": true,
	"ColumnsListMatcher": true, "QualifiedColumnsListMatcher": true, "ColumnsTransformerList": true, "ColumnsExceptTransformer": true,
	"ColumnsReplaceTransformer": true, "ColumnsReplaceTransformer::Replacement": true,
	"TablesInSelectQuery": true, "TablesInSelectQueryElement": true, "TableExpression": true, "TableIdentifier": true, "TableJoin": true,
	"ArrayJoin": true, "SampleRatio": true,
	"OrderByElement": true, "InterpolateElement": true, "WindowListElement": true, "WindowDefinition": true,
}

// refusedKinds have words of their own.
var refusedKinds = map[string]struct{ word, message, hint string }{
	// The engine takes settings of a subquery unchecked, readonly among them.
	"Set":                     {"SETTINGS", "settings cannot be changed inside a query", "send them with the request"},
	"ColumnsApplyTransformer": {"APPLY", "APPLY is not taken", "write the function for each column"},
}

// collect finds the names that the query gives to subqueries and lambdas.
func (i *inspector) collect(n *node) {
	for at, t := range i.tokens {
		rest := i.tokens[at+1:]
		if !t.isName() || len(rest) < 2 || !rest[0].is("AS") {
			continue
		}
		if rest[1].is("MATERIALIZED") {
			rest = rest[1:]
		}
		if len(rest) > 1 && rest[1].is("(") {
			i.ctes[t.text] = true
		}
	}
	var walk func(n *node)
	walk = func(n *node) {
		if n.kind == "Function" && n.name == "lambda" && n.alias != "" {
			i.lambdas[n.alias] = true
		}
		for _, c := range n.children {
			walk(c)
		}
	}
	walk(n)
}

// look judges a node and all below it.
func (i *inspector) look(n, parent *node) error {
	if r, ok := refusedKinds[n.kind]; ok {
		return i.errAt(r.word, r.hint, "%s", r.message)
	}
	if !kinds[n.kind] {
		return i.errAt(n.kind, "write it as plain SELECT", "a query cannot have this part (%s)", n.kind)
	}
	var err error
	switch n.kind {
	case "TableIdentifier":
		err = i.table(n.name)
	case "Identifier":
		err = i.column(n.name)
	case "Function":
		if parent != nil && parent.kind == "TableExpression" {
			err = i.tableFunction(n)
		} else {
			err = i.function(n)
		}
	}
	if err != nil {
		return err
	}
	for _, c := range n.children {
		if err := i.look(c, n); err != nil {
			return err
		}
	}
	return nil
}

// table judges the name of a table.
func (i *inspector) table(name string) error {
	database, table, qualified := strings.Cut(name, ".")
	switch {
	case qualified && strings.EqualFold(database, "system") && slices.Contains(pureSystem, table):
		return nil
	case qualified:
	case i.query.MayRead(name):
		if !slices.Contains(i.approved.Tables, name) {
			i.approved.Tables = append(i.approved.Tables, name)
		}
		return nil
	case i.ctes[name]:
		return nil
	default:
		system, ok := strings.CutPrefix(name, SystemPrefix)
		if ok && slices.Contains(i.query.System, system) {
			if !slices.Contains(i.approved.System, system) {
				i.approved.System = append(i.approved.System, system)
			}
			return nil
		}
	}
	return i.errAt(name, i.query.Known, "there is no stream or view %q", name)
}

// column judges the name of a column.
func (i *inspector) column(name string) error {
	for part := range strings.SplitSeq(name, ".") {
		if deniedColumns[part] {
			return i.errAt(part, "", "there is no column %q", part)
		}
	}
	return nil
}

// setFunctions take a table by its name on their right side.
var setFunctions = []string{"in", "notin", "globalin", "globalnotin", "nullin", "notnullin", "globalnullin", "globalnotnullin"}

// grammar are the functions that the parser and the analyzer know without a list.
var grammar = map[string]bool{"lambda": true, "exists": true, "grouping": true, "untuple": true}

// function judges a call in an expression.
func (i *inspector) function(n *node) error {
	v, known := findScalar(n.name)
	known = known || grammar[strings.ToLower(n.name)]
	switch {
	case known && v.reason != "":
		return i.errAt(n.name, "", "the function %s cannot be called here: %s", n.name, v.reason)
	case !known && !i.lambdas[n.name]:
		return i.errAt(n.name, "SELECT name FROM system.functions lists those that there are", "there is no function %s", n.name)
	}
	if !slices.Contains(setFunctions, strings.TrimSuffix(strings.ToLower(n.name), "ignoreset")) || len(n.children) == 0 || len(n.children[0].children) != 2 {
		return nil
	}
	right := n.children[0].children[1]
	if right.kind != "Identifier" || i.query.MayRead(right.name) || i.ctes[right.name] {
		if right.kind == "Identifier" && i.query.MayRead(right.name) {
			return i.table(right.name)
		}
		return nil
	}
	if strings.Contains(right.name, ".") || strings.HasPrefix(right.name, SystemPrefix) {
		return i.errAt(right.name, "write IN (SELECT … FROM …), or has(array, x)", "what follows IN is neither a list nor a subquery")
	}
	return nil
}

// structure is what a description of columns in a string may be made of: the engine would
// evaluate the expression of a DEFAULT or ALIAS in it.
var (
	structureText    = regexp.MustCompile(`^[A-Za-z0-9_ ,()='.\\-]*$`)
	structureEscapes = regexp.MustCompile(`\\[^']`)
	structureWords   = regexp.MustCompile(`(?i)\b(default|alias|materialized|ephemeral|codec|ttl|comment|constraint|index|statistics|settings|primary|projection)\b`)
)

// tableFunction judges a call in FROM.
func (i *inspector) tableFunction(n *node) error {
	v, known := find(functionLists().table, n.name)
	switch {
	case !known:
		return i.errAt(n.name, i.query.Known, "there is no table function %s", n.name)
	case v.reason != "":
		return i.errAt(n.name, "", "the table function %s cannot be called here: %s", n.name, v.reason)
	}
	if n.name != "values" && n.name != "null" || len(n.children) == 0 || len(n.children[0].children) == 0 {
		return nil
	}
	first := n.children[0].children[0]
	switch {
	case first.kind == "Literal" && !strings.HasPrefix(first.name, "'") && n.name == "values":
	case first.kind == "Function" && first.name == "tuple" && n.name == "values":
	case first.kind == "Literal" && structureText.MatchString(first.name) && !structureEscapes.MatchString(first.name) && !structureWords.MatchString(first.name):
	default:
		return i.errAt(n.name, "write 'name Type, …' on one line", "the columns of %s must be names and types", n.name)
	}
	return nil
}
