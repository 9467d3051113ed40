package chhttp

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/millrace/millrace/internal/problem"
)

const (
	// chunkBytes is how much of an answer is read before it is sent, and compressed as
	// one block: as much as a ClickHouse server gathers.
	chunkBytes = 1 << 20
	// maxWholeBytes bounds an answer that a client wants as a whole (wait_end_of_query),
	// which stays in memory until its end: a dozen such at once fit into small machines.
	maxWholeBytes = 16 << 20
	// tagBytes is the length of the tag that marks an error behind rows.
	tagBytes = 16
)

// compression is ClickHouse's own compression of a body, block by block.
type compression struct {
	on     bool
	method compress.Method
}

// blockMethods are the values of network_compression_method.
var blockMethods = map[string]compress.Method{"LZ4": compress.LZ4, "LZ4HC": compress.LZ4HC, "ZSTD": compress.ZSTD, "NONE": compress.None}

// encodings of HTTP that an answer can have, the best first.
var encodings = []struct {
	name string
	make func(io.Writer) (io.WriteCloser, error)
}{
	{"zstd", func(w io.Writer) (io.WriteCloser, error) {
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	}},
	{"gzip", func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestSpeed) }},
	{"deflate", func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriterLevel(w, zlib.BestSpeed) }},
}

// chooseEncoding returns the best encoding that the headers accept, or "".
func chooseEncoding(accept []string) string {
	accepted := map[string]bool{}
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, weight, _ := strings.Cut(strings.ToLower(part), ";")
		q := strings.ReplaceAll(weight, " ", "")
		accepted[strings.TrimSpace(name)] = strings.Trim(strings.TrimPrefix(q, "q="), "0.") != "" || !strings.HasPrefix(q, "q=")
	}
	for _, e := range encodings {
		if accepted[e.name] {
			return e.name
		}
	}
	return ""
}

// answer sends one answer. Nothing is sent before its first rows, so that an error up to
// then is an HTTP error; a later one ends the body in ClickHouse's frame.
type answer struct {
	w       http.ResponseWriter
	req     *request
	tag     string
	started bool
	broken  bool  // an error came behind rows
	bytes   int64 // before compression
	encoder io.WriteCloser
	blocks  *compress.Writer
}

// send sends the body.
func (a *answer) send(body io.Reader) error {
	if a.req.whole {
		text, err := io.ReadAll(io.LimitReader(body, maxWholeBytes+1))
		if err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		if len(text) > maxWholeBytes {
			return problem.New(http.StatusUnprocessableEntity, "too-many-bytes",
				fmt.Sprintf("the answer has more than %d bytes, the limit with wait_end_of_query", maxWholeBytes), "leave wait_end_of_query out, or narrow the query")
		}
		body = bytes.NewReader(text)
	}
	var chunk bytes.Buffer
	for {
		// Small answers come in one piece; a long one is passed on as it comes.
		chunk.Reset()
		n, err := io.Copy(&chunk, io.LimitReader(body, chunkBytes))
		end := err == nil && n < chunkBytes
		if n > 0 || end && !a.started {
			if err := a.write(chunk.Bytes()); err != nil {
				return err
			}
		}
		if end {
			return a.finish()
		}
		if err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
	}
}

// start sends the headers.
func (a *answer) start() error {
	a.started = true
	a.tag = rand.Text()[:tagBytes]
	h := a.w.Header()
	h.Set("X-ClickHouse-Exception-Tag", a.tag)
	if a.req.blocks.on {
		a.blocks = compress.NewWriter(compress.LevelZero, a.req.blocks.method)
	}
	for _, e := range encodings {
		if e.name != a.req.encoding {
			continue
		}
		encoder, err := e.make(a.w)
		if err != nil {
			return fmt.Errorf("make encoder of %s: %w", e.name, err)
		}
		a.encoder = encoder
		h.Set("Content-Encoding", e.name)
		h.Add("Vary", "Accept-Encoding")
	}
	return nil
}

// write sends a chunk.
func (a *answer) write(chunk []byte) error {
	if !a.started {
		if err := a.start(); err != nil {
			return err
		}
	}
	a.bytes += int64(len(chunk))
	if len(chunk) == 0 {
		return nil
	}
	if a.blocks != nil {
		if err := a.blocks.Compress(chunk); err != nil {
			return fmt.Errorf("compress answer: %w", err)
		}
		chunk = a.blocks.Data
	}
	out := io.Writer(a.w)
	if a.encoder != nil {
		out = a.encoder
	}
	if _, err := out.Write(chunk); err != nil {
		return fmt.Errorf("send answer: %w", err)
	}
	return nil
}

// finish ends a good answer.
func (a *answer) finish() error {
	if a.encoder == nil {
		return nil
	}
	if err := a.encoder.Close(); err != nil {
		return fmt.Errorf("send answer: %w", err)
	}
	return nil
}

// fail reports an error, behind rows if need be.
func (a *answer) fail(err error) {
	if !a.started {
		writeException(a.w, err)
		return
	}
	a.broken = true
	text := exceptionOf(err).text + "\n"
	// What fails here is the connection, which ends anyway.
	_ = a.write(fmt.Appendf(nil, "\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n", a.tag, text, len(text), a.tag))
	_ = a.finish()
	_ = http.NewResponseController(a.w).Flush()
}
