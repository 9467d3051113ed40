package deadletter

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
)

// Roots of the objects' names.
const (
	waitingRoot  = "errors/"
	replayedRoot = "errors-replayed/"
	suffix       = ".ndjson.zst"
)

// object is what an object's name says:
// <root><stream>/date=YYYY-MM-DD/<nanoseconds>-<letters>.ndjson.zst
type object struct {
	stream  string
	time    time.Time
	letters int
}

func (o object) base() string { return fmt.Sprintf("%019d-%d", o.time.UnixNano(), o.letters) }

func (o object) name(root string) string {
	return fmt.Sprintf("%s%s/date=%s/%s%s", root, o.stream, o.time.Format(time.DateOnly), o.base(), suffix)
}

var errName = errors.New("not a name of dead letters")

func parseName(name string) (object, error) {
	parts := strings.Split(name, "/")
	if len(parts) != 4 || parts[0]+"/" != waitingRoot && parts[0]+"/" != replayedRoot {
		return object{}, fmt.Errorf("%w: %s", errName, name)
	}
	at, count, ok := strings.Cut(strings.TrimSuffix(path.Base(name), suffix), "-")
	ns, err1 := strconv.ParseInt(at, 10, 64)
	n, err2 := strconv.Atoi(count)
	if !ok || err1 != nil || err2 != nil || n < 0 {
		return object{}, fmt.Errorf("%w: %s", errName, name)
	}
	return object{stream: parts[1], time: time.Unix(0, ns).UTC(), letters: n}, nil
}

// namer gives each object a time of its own, so that names never meet.
type namer struct{ last int64 }

func (n *namer) next(stream string, now time.Time, letters int) object {
	n.last = max(n.last+1, now.UnixNano())
	return object{stream: stream, time: time.Unix(0, n.last).UTC(), letters: letters}
}
