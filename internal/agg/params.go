package agg

import "fmt"

// defaultLevel is that of quantiles without a parameter, as in ClickHouse.
const defaultLevel = 0.5

// paramRule checks the parameters of a function and adds those that are left out; nil
// takes none.
type paramRule func(name string, given []float64) ([]float64, error)

func (r paramRule) check(name string, given []float64) ([]float64, error) {
	switch {
	case r != nil:
		return r(name, given)
	case len(given) > 0:
		return nil, fmt.Errorf("%s takes no parameters", name)
	}
	return nil, nil
}

// quantileLevel takes a level from 0 to 1.
func quantileLevel(name string, given []float64) ([]float64, error) {
	switch {
	case len(given) == 0:
		return []float64{defaultLevel}, nil
	case len(given) > 1:
		return nil, fmt.Errorf("%s takes one level, not %d", name, len(given))
	case !(given[0] >= 0 && given[0] <= 1):
		return nil, fmt.Errorf("%s has level %v; it must be from 0 to 1", name, given[0])
	}
	return given, nil
}
