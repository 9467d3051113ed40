package sql

import (
	"strconv"
	"strings"
)

// MaxTextBytes limits one request's SQL: 256 KiB hold thousands of statements, and the
// tokens of that much text stay within a few megabytes.
const MaxTextBytes = 256 << 10

// MaxDepth limits how deep expressions, types and subqueries nest, so that neither this
// parser nor anything that walks its trees runs out of stack.
const MaxDepth = 200

// Parse reads one or more statements separated by semicolons. Errors are *Error.
func Parse(text string) ([]Statement, error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	var statements []Statement
	for {
		for p.acceptSymbol(";") {
		}
		if p.peek().kind == endToken {
			break
		}
		s, err := p.statement()
		if err != nil {
			return nil, err
		}
		statements = append(statements, s)
		if p.peek().kind != endToken && !p.peekSymbol(";") {
			return nil, p.unexpected("a semicolon or the end of the statement")
		}
	}
	if len(statements) == 0 {
		return nil, p.unexpected("a statement")
	}
	return statements, nil
}

// ParseExpr reads one scalar expression: the `where` of the view API. Errors are *Error.
func ParseExpr(text string) (Expr, error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	e, err := p.rootExpr()
	if err != nil {
		return nil, err
	}
	return e, p.expectEnd()
}

// ParseType reads a type: Nullable(DateTime64(3, 'UTC')). Errors are *Error; positions
// count from the start of text.
func ParseType(text string) (TypeExpr, error) {
	p, err := newParser(text)
	if err != nil {
		return TypeExpr{}, err
	}
	t, err := p.typeExpr()
	if err != nil {
		return TypeExpr{}, err
	}
	return t, p.expectEnd()
}

// maxCopies limits the nodes that BETWEEN and CASE x WHEN repeat (x BETWEEN a AND b has
// x twice), since nested ones double at every level.
const maxCopies = 1 << 14

// parser walks over the tokens of one text.
type parser struct {
	text   string
	tokens []token
	at     int
	depth  int
	copies int // nodes repeated so far
}

func newParser(text string) (*parser, error) {
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	return &parser{text: text, tokens: tokens}, nil
}

func (p *parser) peek() token { return p.peekAt(0) }

// peekAt returns the token n places ahead; past the end that is the end.
func (p *parser) peekAt(n int) token { return p.tokens[min(p.at+n, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.peek()
	if t.kind != endToken {
		p.at++
	}
	return t
}

// enter begins one more level of nesting; leave ends it.
func (p *parser) enter() error {
	p.depth++
	if p.depth > MaxDepth {
		return tooDeep(p.peek().pos)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

func tooDeep(pos Pos) *Error {
	return errorAt(pos, "split it into simpler parts", "this nests deeper than %d levels", MaxDepth)
}

func (t token) isWord(word string) bool {
	return t.kind == wordToken && strings.EqualFold(t.text, word)
}

func (t token) isSymbol(symbol string) bool { return t.kind == symbolToken && t.text == symbol }

// isName reports whether t can be a name.
func (t token) isName() bool {
	return t.kind == quotedToken || t.kind == wordToken && !isReserved(t.text)
}

func (p *parser) peekSymbol(symbol string) bool { return p.peek().isSymbol(symbol) }

func (p *parser) acceptSymbol(symbol string) bool {
	if !p.peekSymbol(symbol) {
		return false
	}
	p.at++
	return true
}

func (p *parser) expectSymbol(symbol string) error {
	if !p.acceptSymbol(symbol) {
		return p.unexpected(strconv.Quote(symbol))
	}
	return nil
}

// peekWords reports whether the next tokens are these words.
func (p *parser) peekWords(words ...string) bool {
	for i, w := range words {
		if !p.peekAt(i).isWord(w) {
			return false
		}
	}
	return true
}

// acceptWords reads these words, or nothing where they do not all follow.
func (p *parser) acceptWords(words ...string) bool {
	if !p.peekWords(words...) {
		return false
	}
	p.at += len(words)
	return true
}

func (p *parser) expectWord(word string) error {
	if !p.acceptWords(word) {
		return p.unexpected(word)
	}
	return nil
}

// expectName reads a name; what says of what, for the error.
func (p *parser) expectName(what string) (string, error) {
	t := p.peek()
	if !t.isName() {
		return "", p.unexpected(what)
	}
	p.at++
	if p.peekSymbol(".") {
		return "", errorAt(p.peek().pos, "write the name alone; put one that has a dot in backticks", "names are not qualified here")
	}
	return t.text, nil
}

func (p *parser) expectEnd() error {
	if p.peek().kind != endToken {
		return p.unexpected("the end of the text")
	}
	return nil
}

// unexpected refuses the next token.
func (p *parser) unexpected(expected string) *Error {
	t := p.peek()
	if t.kind == strayToken {
		return errorAt(t.pos, "", "the character %q has no meaning here", t.text[0])
	}
	return errorAt(t.pos, hintFor(t), "expected %s, found %s", expected, t.describe())
}

// describe names a token in an error.
func (t token) describe() string {
	switch t.kind {
	case endToken:
		return "the end of the text"
	case stringToken:
		return "the string " + QuoteString(shorten(t.text))
	case quotedToken:
		return "the name " + string(appendQuoted(nil, shorten(t.text), '`'))
	}
	return strconv.Quote(shorten(t.text))
}

// shorten cuts what an error quotes to a readable length, between characters.
func shorten(s string) string {
	const most = 40
	n := 0
	for i := range s {
		if n == most {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// list reads one or more items separated by commas.
func (p *parser) list(item func() error) error {
	for {
		if err := item(); err != nil {
			return err
		}
		if !p.acceptSymbol(",") {
			return nil
		}
	}
}
