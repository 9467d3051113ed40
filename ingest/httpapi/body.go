package httpapi

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/millrace/millrace/ingest/appender"
	"github.com/millrace/millrace/ingest/decode"
	"github.com/millrace/millrace/internal/problem"
)

const (
	// firstBodyBytes is the first size of a body's buffer; it doubles from there.
	firstBodyBytes = 64 << 10
	// keepBodyBytes is the largest buffer that is kept for the next request.
	keepBodyBytes = 8 << 20
	// maxWindowBytes bounds the window of a zstd frame, which its header makes a decoder
	// allocate: 8 MiB is what RFC 8878 asks decoders to support.
	maxWindowBytes = 8 << 20
)

// formatOf finds the format of a Content-Type.
func formatOf(contentType string) (decode.Format, error) {
	media, params, err := mime.ParseMediaType(contentType)
	if charset := params["charset"]; err == nil && (charset == "" || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "us-ascii")) {
		switch media {
		case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines",
			"text/plain": // which a page may send to another origin without asking first
			return decode.NDJSON, nil
		case "application/json":
			return decode.JSON, nil
		case "text/csv":
			return decode.CSV, nil
		}
	}
	return 0, problem.New(http.StatusUnsupportedMediaType, "content-type", fmt.Sprintf("Content-Type %q is not taken", contentType),
		"send application/x-ndjson (or text/plain), application/json or text/csv, in UTF-8")
}

// csvHeader returns the header record of a CSV body that was decoded, as it came.
func csvHeader(data []byte) string {
	r := csv.NewReader(bytes.NewReader(data))
	_, _ = r.Read() // cannot fail: the decoder has read it
	return strings.Trim(string(data[:r.InputOffset()]), "\r\n")
}

func tooLarge(detail string) error {
	return problem.New(http.StatusRequestEntityTooLarge, "body-too-large", detail, "nothing of this request is stored; send the events in several requests")
}

// bodyReader reads request bodies into memory, decompressed and within the limit.
type bodyReader struct {
	maxBytes int
	buffers  sync.Pool // of *[]byte
	gzips    sync.Pool // of *gzip.Reader
	zstds    sync.Pool // of *zstd.Decoder
}

// body is a request's body in a pooled buffer.
type body struct {
	data   []byte
	reader *bodyReader
}

// release gives the buffer back; more than once is harmless.
func (b *body) release() {
	if buf := b.data; buf != nil && cap(buf) <= keepBodyBytes {
		b.reader.buffers.Put(&buf)
	}
	b.data = nil
}

// read returns the body of r. Its memory is reserved from share before it grows.
func (br *bodyReader) read(w http.ResponseWriter, r *http.Request, share *appender.Reservation) (*body, error) {
	if r.ContentLength > int64(br.maxBytes) {
		return nil, tooLarge(fmt.Sprintf("the body measures %d bytes, the limit is %d", r.ContentLength, br.maxBytes))
	}
	source := http.MaxBytesReader(w, r.Body, int64(br.maxBytes))
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return br.fill(source, max(0, int(r.ContentLength)), "", share)
	case "gzip", "x-gzip":
		z, _ := br.gzips.Get().(*gzip.Reader)
		if z == nil {
			z = new(gzip.Reader)
		}
		defer br.gzips.Put(z)
		if err := z.Reset(source); err != nil {
			return nil, br.failed(err, "gzip")
		}
		return br.fill(z, 0, "gzip", share)
	case "zstd":
		z, _ := br.zstds.Get().(*zstd.Decoder)
		if z == nil {
			var err error
			z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindowBytes))
			if err != nil {
				return nil, fmt.Errorf("make zstd decoder: %w", err)
			}
		}
		defer func() {
			_ = z.Reset(nil) // lets go of the source; cannot fail
			br.zstds.Put(z)
		}()
		if err := z.Reset(source); err != nil {
			return nil, br.failed(err, "zstd")
		}
		return br.fill(z, 0, "zstd", share)
	default:
		return nil, problem.New(http.StatusUnsupportedMediaType, "content-encoding", fmt.Sprintf("Content-Encoding %q is not taken", encoding), "send gzip, zstd or none")
	}
}

// fill reads all of source; size is its size where known, else 0.
func (br *bodyReader) fill(source io.Reader, size int, encoding string, share *appender.Reservation) (*body, error) {
	var buf []byte
	if kept, ok := br.buffers.Get().(*[]byte); ok {
		buf = (*kept)[:0]
	}
	out := &body{data: buf, reader: br}
	want := max(firstBodyBytes, size+1) // one more byte, to see the end without growing
	for {
		if cap(buf) < want {
			if err := share.Resize(int64(want)); err != nil {
				out.release()
				return nil, err
			}
			buf = append(make([]byte, 0, want), buf...)
		} else if err := share.Resize(int64(cap(buf))); err != nil {
			out.release()
			return nil, err
		}
		for len(buf) < cap(buf) {
			n, err := source.Read(buf[len(buf):cap(buf)])
			buf = buf[:len(buf)+n]
			out.data = buf
			if len(buf) > br.maxBytes {
				out.release()
				return nil, tooLarge(fmt.Sprintf("the body measures more than %d bytes, decompressed", br.maxBytes))
			}
			if errors.Is(err, io.EOF) {
				return out, nil
			}
			if err != nil {
				out.release()
				return nil, br.failed(err, encoding)
			}
		}
		want = min(2*cap(buf), br.maxBytes+1)
	}
}

// failed says what broke while a body was read.
func (br *bodyReader) failed(err error, encoding string) error {
	var limit *http.MaxBytesError
	switch {
	case errors.As(err, &limit):
		return tooLarge(fmt.Sprintf("the body measures more than %d bytes", limit.Limit))
	case encoding != "":
		return problem.New(http.StatusBadRequest, "broken-"+encoding, "the body is not whole "+encoding+": "+err.Error(), "nothing of this request is stored; send it again")
	}
	return problem.New(http.StatusBadRequest, "broken-body", "the body ended early: "+err.Error(), "nothing of this request is stored; send it again")
}
