package event

// CoveredBy reports whether the batch layer covers the epoch at the given cut: the
// epochs at the cut and before it are batch's, those after it speed's. Every comparison
// of an epoch with a cut is this one, so that no event is in both layers or in neither.
func (e Epoch) CoveredBy(cut Epoch) bool { return e <= cut }
