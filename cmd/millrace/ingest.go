package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/millrace/millrace/cmd/millrace/tabular"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/progress"
	"github.com/millrace/millrace/lake/parquetfile"
	"github.com/millrace/millrace/serving/client"
	"github.com/millrace/millrace/serving/format"
)

const (
	// sendBytes is how much of a file goes into one request: large enough that the cost
	// of a request vanishes, small enough that a retry is cheap.
	sendBytes = 4 << 20
	// sendRetries is how often one request is sent again before ingest gives up: over a
	// minute, in which a server restarts.
	sendRetries = 30
	// shownErrors is how many refused rows are printed.
	shownErrors = 10
)

// ingest sends a file's events to a stream.
func ingest(ctx context.Context, args []string) error {
	fs := flags("ingest")
	kind := fs.String("format", "", "ndjson, json, csv or parquet; default by the file's name, else ndjson")
	c, args, err := asking(fs, args, sendRetries, 1, 2)
	if err != nil {
		return err
	}
	name := "-"
	if len(args) == 2 {
		name = args[1]
	}
	in, size := os.Stdin, int64(-1)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		in, size = f, info.Size()
	}
	format, compression := formatOf(name, *kind)
	s := &sender{client: c, stream: args[0], meter: progress.New(os.Stderr, "ingest "+name, max(size, 0))}
	err = s.send(ctx, in, size, format, compression)
	s.meter.Finish()
	fmt.Fprintf(os.Stderr, "%d accepted, %d refused\n", s.accepted, s.rejected)
	if s.rejected > shownErrors {
		fmt.Fprintf(os.Stderr, "see them all: millrace errors list %s\n", s.stream)
	}
	return err
}

// formatOf tells a file's format and compression from its name, unless the format is given.
func formatOf(name, given string) (format, compression string) {
	for _, suffix := range []string{".gz", ".zst"} {
		if trimmed, ok := strings.CutSuffix(name, suffix); ok {
			name, compression = trimmed, suffix
		}
	}
	switch {
	case given != "":
		return given, compression
	case filepath.Ext(name) == ".csv", filepath.Ext(name) == ".parquet", filepath.Ext(name) == ".json":
		return filepath.Ext(name)[1:], compression
	}
	return "ndjson", compression
}

// sender sends the parts of one input.
type sender struct {
	client             *client.Client
	stream             string
	meter              *progress.Meter
	lines              int // read so far
	accepted, rejected int
}

func (s *sender) send(ctx context.Context, in *os.File, size int64, format, compression string) error {
	if format == "parquet" {
		return s.sendParquet(ctx, in, size)
	}
	counted := io.TeeReader(in, s.meter)
	var plain io.Reader
	switch compression {
	case ".gz":
		z, err := gzip.NewReader(counted)
		if err != nil {
			return fmt.Errorf("read gzip: %w", err)
		}
		plain = z
	case ".zst":
		z, err := zstd.NewReader(counted)
		if err != nil {
			return fmt.Errorf("read zstd: %w", err)
		}
		defer z.Close()
		plain = z
	default:
		plain = counted
	}
	switch format {
	case "ndjson":
		return s.sendLines(ctx, plain, "application/x-ndjson", false)
	case "csv":
		return s.sendLines(ctx, plain, "text/csv", true)
	case "json":
		return s.sendArray(ctx, plain)
	}
	return fmt.Errorf("unknown format %q: use ndjson, json, csv or parquet", format)
}

// sendLines sends whole lines; a header, where there is one, leads every request. A CSV
// field with a line break keeps its record together: quotes are counted.
func (s *sender) sendLines(ctx context.Context, in io.Reader, contentType string, hasHeader bool) error {
	r := bufio.NewReaderSize(in, 1<<20)
	var header, body []byte
	lines := 0
	flush := func() error {
		if lines == 0 {
			return nil
		}
		before := s.lines
		if hasHeader {
			before-- // the header is line 1 of every request
		}
		err := s.post(ctx, contentType, body, before)
		s.lines += lines
		body, lines = append(body[:0], header...), 0
		return err
	}
	open := false // inside a quoted CSV field
	for {
		line, err := r.ReadSlice('\n')
		if hasHeader {
			open = open != (bytes.Count(line, []byte{'"'})%2 == 1)
		}
		body = append(body, line...)
		whole := err == nil && !open
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("read input: %w", err)
		}
		switch {
		case whole && hasHeader && header == nil:
			header = bytes.Clone(body)
			s.lines++
		case whole || (err == io.EOF && len(line) > 0):
			lines++
		}
		if err == io.EOF || (whole && len(body) >= sendBytes) {
			if ferr := flush(); ferr != nil {
				return ferr
			}
			if err == io.EOF {
				return nil
			}
		}
	}
}

// sendArray sends the elements of a JSON array, or one object, as lines.
func (s *sender) sendArray(ctx context.Context, in io.Reader) error {
	r := bufio.NewReader(in)
	first, err := peekByte(r)
	if err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	dec := json.NewDecoder(r)
	if first == '[' {
		if _, err := dec.Token(); err != nil {
			return fmt.Errorf("read JSON: %w", err)
		}
	}
	var body, line bytes.Buffer
	lines := 0
	for dec.More() {
		var element json.RawMessage
		if err := dec.Decode(&element); err != nil {
			return fmt.Errorf("read element %d: %w", s.lines+lines+1, err)
		}
		line.Reset()
		if err := json.Compact(&line, element); err != nil {
			return fmt.Errorf("read element %d: %w", s.lines+lines+1, err)
		}
		body.Write(line.Bytes())
		body.WriteByte('\n')
		lines++
		if body.Len() >= sendBytes {
			if err := s.post(ctx, "application/x-ndjson", body.Bytes(), s.lines); err != nil {
				return err
			}
			s.lines += lines
			lines = 0
			body.Reset()
		}
	}
	if lines == 0 {
		return nil
	}
	return s.post(ctx, "application/x-ndjson", body.Bytes(), s.lines)
}

// peekByte returns the first byte that is no white space and leaves it unread.
func peekByte(r *bufio.Reader) (byte, error) {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		if !strings.ContainsRune(" \t\r\n\ufeff", rune(b)) {
			return b, r.UnreadByte()
		}
	}
}

// sendParquet sends a Parquet file's rows as lines.
func (s *sender) sendParquet(ctx context.Context, in *os.File, size int64) error {
	if size < 0 {
		return errors.New("a Parquet file cannot come through a pipe: give its name")
	}
	r, err := parquetfile.NewReader(ctx, io.NewSectionReader(in, 0, size))
	if err != nil {
		return err
	}
	defer r.Close()
	lines, err := format.Named("ndjson")
	if err != nil {
		return err
	}
	var body bytes.Buffer
	rows := r.Rows()
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for from := 0; from < b.Rows; from += 10_000 {
			to := min(from+10_000, b.Rows)
			part := event.NewBatch(b.Schema)
			part.AppendRange(b, from, to)
			body.Reset()
			if err := lines.Write(&body, part); err != nil {
				return err
			}
			if err := s.post(ctx, "application/x-ndjson", body.Bytes(), s.lines); err != nil {
				return err
			}
			s.lines += part.Rows
			s.meter.Set(size * int64(s.lines) / max(rows, 1))
		}
	}
}

// post sends one request until it is acknowledged. Its key makes a repetition harmless.
func (s *sender) post(ctx context.Context, contentType string, body []byte, linesBefore int) error {
	r, err := s.client.Append(ctx, s.stream, bytes.NewReader(body), client.AppendOptions{ContentType: contentType, IdempotencyKey: rand.Text()})
	if err != nil {
		return err
	}
	for i, e := range r.Errors {
		if s.rejected+i < shownErrors {
			fmt.Fprintln(os.Stderr, "line "+strconv.Itoa(linesBefore+e.Line)+": "+tabular.Clean(e.Reason))
		}
	}
	s.accepted += r.Accepted
	s.rejected += r.Rejected
	return nil
}
