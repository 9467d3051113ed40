package render

import (
	"errors"
	"io"
)

// PDF writes the document as a PDF file.
func PDF(w io.Writer, d *Document) error { return errors.New("render PDF: not built yet") }
