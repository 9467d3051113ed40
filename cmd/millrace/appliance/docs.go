package appliance

import (
	"net/http"

	"github.com/millrace/millrace/internal/route"
)

var streamParam = route.Param{Name: "stream", In: "path", Type: "string", Required: true, About: "name of the stream", Example: "clicks"}

var lettersDoc = route.Doc{
	ID: "listDeadLetters", Tag: "streams", Summary: "The newest dead letters of a stream",
	About:   "What could not be parsed or typed, newest first, up to 10,000, with its reason and its raw bytes.",
	Params:  []route.Param{streamParam},
	Replies: []route.Reply{{Status: http.StatusOK, Types: []string{"application/x-ndjson"}, Value: refusedRow{}, About: "one dead letter a line"}},
	Errors:  []int{http.StatusNotFound},
}

var replayDoc = route.Doc{
	ID: "replayDeadLetters", Tag: "streams", Summary: "Send the dead letters through the door again",
	About:   "Each in its own format. What is refused again is a dead letter again.",
	Params:  []route.Param{streamParam},
	Replies: []route.Reply{{Status: http.StatusOK, Types: []string{"application/json"}, Value: replayed{}, About: "how many went which way"}},
	Errors:  []int{http.StatusNotFound, http.StatusServiceUnavailable},
}
