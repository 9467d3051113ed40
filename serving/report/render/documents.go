package render

import (
	"errors"
	"io"
)

// HTML returns the page of a mail and the images that it names by Content-ID.
func HTML(d *Document) (page []byte, images []Image, err error) {
	return nil, nil, errors.New("render HTML: not built yet")
}

// Page returns the mail's page as a file of its own, with its images inside.
func Page(d *Document) ([]byte, error) { return nil, errors.New("render page: not built yet") }

// Text returns the plain-text alternative of the mail.
func Text(d *Document) ([]byte, error) { return nil, errors.New("render text: not built yet") }

// XLSX writes the document as a workbook.
func XLSX(w io.Writer, d *Document) error { return errors.New("render workbook: not built yet") }

// PDF writes the document as a PDF file.
func PDF(w io.Writer, d *Document) error { return errors.New("render PDF: not built yet") }
