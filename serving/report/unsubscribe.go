package report

import (
	"html/template"
	"net/http"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/route"
)

// unsubscribePage asks for a click, since programs that scan mails follow links, and tells
// the outcome.
var unsubscribePage = template.Must(template.New("unsubscribe").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>{{.Title}}</title></head>
<body style="font-family:system-ui,sans-serif;line-height:1.5;max-width:34em;margin:4em auto;padding:0 1em">
<h1 style="font-size:1.4em">{{.Title}}</h1>
<p>{{.Text}}</p>
{{if .Ask}}<form method="post"><button style="font:inherit;padding:.5em 1em">Unsubscribe</button></form>
{{end}}</body></html>
`))

type unsubscribeView struct {
	Title, Text string
	Ask         bool
}

// unsubscribeRoutes are those that a recipient's link leads to; a mail program posts to it
// by itself (RFC 8058). The proof in it stands for the right.
func (v *server) unsubscribeRoutes() route.Table {
	const path = "/unsubscribe/{report}"
	return route.Table{
		{Method: http.MethodGet, Path: path, Right: access.Public, Handler: http.HandlerFunc(v.askUnsubscribe)},
		{Method: http.MethodPost, Path: path, Right: access.Public, Handler: http.HandlerFunc(v.unsubscribe)},
	}
}

func (v *server) askUnsubscribe(w http.ResponseWriter, r *http.Request) {
	if _, address, ok := v.proven(w, r); ok {
		v.tell(w, http.StatusOK, unsubscribeView{"Unsubscribe?", address + " will get the report " + r.PathValue("report") + " no more.", true})
	}
}

func (v *server) unsubscribe(w http.ResponseWriter, r *http.Request) {
	report, address, ok := v.proven(w, r)
	if !ok {
		return
	}
	if err := v.o.Ledger.Unsubscribe(r.Context(), report, address); err != nil {
		v.failed(w, r, err)
		return
	}
	v.o.Log.Info("recipient unsubscribed", "report", r.PathValue("report"))
	v.tell(w, http.StatusOK, unsubscribeView{Title: "Unsubscribed", Text: address + " gets the report " + r.PathValue("report") + " no more."})
}

// proven returns the report and the address that a link is of; otherwise it has answered.
func (v *server) proven(w http.ResponseWriter, r *http.Request) (report, address string, ok bool) {
	q := r.URL.Query()
	address = q.Get("to")
	d, err := v.find(r.Context(), r.PathValue("report"))
	if err == nil {
		ok, err = v.o.Ledger.Signed(r.Context(), d.ID, address, q.Get("proof"))
	}
	switch {
	case err == nil && ok:
		return d.ID, address, true
	case err == nil || d == nil && r.Context().Err() == nil:
		// Whether there is such a report is not for everybody to learn.
		v.tell(w, http.StatusNotFound, unsubscribeView{Title: "This link leads nowhere", Text: "It was cut short on its way, or the report is no more. Then nothing is sent any more either."})
	default:
		v.failed(w, r, err)
	}
	return "", "", false
}

func (v *server) failed(w http.ResponseWriter, r *http.Request, err error) {
	v.o.Log.Error("answer request", "path", r.URL.Path, "error", err)
	v.tell(w, http.StatusServiceUnavailable, unsubscribeView{Title: "Not now", Text: "The server could not do it. Please try again later."})
}

func (v *server) tell(w http.ResponseWriter, status int, view unsubscribeView) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = unsubscribePage.Execute(w, view) // the client has gone if this fails
}
