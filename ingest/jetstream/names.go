package jetstream

import (
	"fmt"
	"strconv"
	"strings"
)

// maxNameBytes bounds an escaped id: JetStream uses it in file names, which end at 255.
const maxNameBytes = 200

// safeName returns the id in characters that names, subjects and keys of JetStream and
// all file systems tell apart: lower case letters, digits, '-', and '_' before two hex
// digits for any other byte. Different ids have different names.
func safeName(id string) (string, error) {
	var name strings.Builder
	for i := range len(id) {
		switch c := id[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
			name.WriteByte(c)
		default:
			fmt.Fprintf(&name, "_%02x", c)
		}
	}
	if name.Len() == 0 || name.Len() > maxNameBytes {
		return "", fmt.Errorf("name %q has %d bytes when escaped, must have 1 to %d", id, name.Len(), maxNameBytes)
	}
	return name.String(), nil
}

func streamName(name string, partition int) string {
	return "mr-" + name + "-" + strconv.Itoa(partition)
}

func subject(name string, partition int) string {
	return "mr." + name + "." + strconv.Itoa(partition)
}

func countKey(name string) string { return "partitions." + name }
