package sql

// Walk calls fn for e and then for everything in it, in the order of the text of the
// prefix form. Where fn returns false, it does not go into that node.
func Walk(e Expr, fn func(Expr) bool) {
	if e == nil || !fn(e) {
		return
	}
	for _, c := range children(e) {
		Walk(c, fn)
	}
}

// children returns the operands of e; the caller must not change the slice.
func children(e Expr) []Expr {
	switch e := e.(type) {
	case *Call:
		return e.Args
	case *Tuple:
		return e.Items
	}
	return nil
}
