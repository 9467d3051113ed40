package report

import (
	"bytes"
	"io"

	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/report/render"
)

// Format is the form of a report's document.
type Format struct {
	Name        string
	engine      string // ClickHouse's name of the format that the query answers in
	contentType string
	defaultRows int64
	render      func(d *render.Document) ([]byte, error) // nil: the engine writes the document itself
}

// rendered reports whether the document is made from the rows here, and not by the engine.
func (f Format) rendered() bool { return f.render != nil }

// attached reports whether a mail has the document beside its body.
func (f Format) attached() bool { return f.Name != "html" }

func buffered(write func(w io.Writer, d *render.Document) error) func(d *render.Document) ([]byte, error) {
	return func(d *render.Document) ([]byte, error) {
		var b bytes.Buffer
		err := write(&b, d)
		return b.Bytes(), err
	}
}

// formats are those of documents, the default first.
var formats = []Format{
	{"html", render.TableFormat, "text/html; charset=utf-8", defaultPageRows, render.Page},
	{"csv", "CSVWithNames", "text/csv; charset=utf-8", defaultRows, nil},
	{"xlsx", render.TableFormat, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", defaultRows, buffered(render.XLSX)},
	{"parquet", "Parquet", "application/vnd.apache.parquet", defaultRows, nil},
	{"pdf", render.TableFormat, "application/pdf", defaultPageRows, buffered(render.PDF)},
	{"json", "JSON", "application/json", defaultRows, nil},
}

func parseFormat(v sql.Literal) (Format, error) {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.Name
	}
	name, err := oneOf(v, names)
	if err != nil {
		return Format{}, err
	}
	for _, f := range formats {
		if f.Name == name {
			return f, nil
		}
	}
	return Format{}, nil
}
