package objstore

import (
	"errors"
	"fmt"
	"strings"
)

// MaxNameBytes bounds an object's name: below PATH_MAX with room for the store's root.
const MaxNameBytes = 1024

// ErrName is the class of refusals of an object's name.
var ErrName = errors.New("bad object name")

// CheckName refuses names that could leave the store or that not every store can keep:
// empty ones, absolute ones, and those with an empty part, "." or "..", a part that
// begins with a dot (stores keep their own files there), a backslash or a control byte.
func CheckName(name string) error {
	if name == "" {
		return fmt.Errorf("%w: it is empty", ErrName)
	}
	if len(name) > MaxNameBytes {
		return fmt.Errorf("%w: %d bytes are more than %d", ErrName, len(name), MaxNameBytes)
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; c < ' ' || c == '\\' || c == 0x7f {
			return fmt.Errorf("%w %q: byte %#02x at %d", ErrName, name, c, i)
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' {
			return fmt.Errorf("%w %q: part %q", ErrName, name, part)
		}
	}
	return nil
}
