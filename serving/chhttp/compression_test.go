package chhttp

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// unpack undoes an encoding of HTTP.
func unpack(t *testing.T, encoding, text string) io.Reader {
	t.Helper()
	var r io.Reader
	var err error
	switch source := strings.NewReader(text); encoding {
	case "":
		return source
	case "gzip":
		r, err = gzip.NewReader(source)
	case "deflate":
		r, err = zlib.NewReader(source)
	case "zstd":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(source, zstd.WithDecoderConcurrency(1)); err == nil {
			t.Cleanup(z.Close)
		}
		r = z
	default:
		t.Fatalf("encoding %q", encoding)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAnswerIsCompressedAsTheClientAsks(t *testing.T) {
	e, _ := onEngine(t)
	// Several blocks, the last of them short.
	const text = "SELECT number FROM numbers(400000)"
	_, plain := e.query(t, "/", text)
	if len(plain) < 2*chunkBytes {
		t.Fatalf("the answer has %d bytes only", len(plain))
	}
	for name, c := range map[string]struct {
		target, accept, encoding string
		blocks                   bool
	}{
		"not asked":          {"/", "gzip, zstd", "", false},
		"gzip":               {"/?enable_http_compression=1", "gzip", "gzip", false},
		"the best of them":   {"/?enable_http_compression=1", "deflate, gzip;q=0.5, zstd, br", "zstd", false},
		"deflate":            {"/?enable_http_compression=1", "deflate", "deflate", false},
		"refused by weight":  {"/?enable_http_compression=1", "zstd;q=0, gzip; q=0.0, deflate;q=0.01", "deflate", false},
		"one that is not":    {"/?enable_http_compression=1", "br", "", false},
		"blocks":             {"/?compress=1", "gzip", "", true},
		"blocks, zstd":       {"/?compress=1&network_compression_method=zstd", "", "", true},
		"blocks, none":       {"/?compress=1&network_compression_method=NONE", "", "", true},
		"blocks within gzip": {"/?compress=1&enable_http_compression=1", "gzip", "gzip", true},
		"not asked by 0":     {"/?compress=0", "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			reply, packed := e.query(t, c.target, text, "Accept-Encoding", c.accept)
			if reply.StatusCode != http.StatusOK || reply.Header.Get("Content-Encoding") != c.encoding {
				t.Fatalf("%d, encoding %q, want %q", reply.StatusCode, reply.Header.Get("Content-Encoding"), c.encoding)
			}
			r := unpack(t, c.encoding, packed)
			if c.blocks {
				r = blockReader{compress.NewReader(r)}
			}
			got, err := io.ReadAll(r)
			if err != nil || string(got) != plain {
				t.Errorf("%v, %d bytes, want %d", err, len(got), len(plain))
			}
		})
	}
}

func TestStatementMayComeCompressed(t *testing.T) {
	e, _ := onEngine(t)
	const text = "SELECT count() FROM clicks"
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	blocks := compress.NewWriter(compress.LevelZero, compress.LZ4)
	if err := blocks.Compress([]byte(text)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		target, encoding string
		body             []byte
	}{
		"gzip":   {"/", "gzip", zipped.Bytes()},
		"zstd":   {"/", "zstd", encoder.EncodeAll([]byte(text), nil)},
		"blocks": {"/?decompress=1", "", blocks.Data},
	} {
		if reply, got := e.call(t, http.MethodPost, c.target, c.body, "Content-Encoding", c.encoding); got != "1000\n" {
			t.Errorf("%s: %d %q", name, reply.StatusCode, got)
		}
	}
	bomb := encoder.EncodeAll(make([]byte, 64<<20), nil)
	if reply, got := e.call(t, http.MethodPost, "/", bomb, "Content-Encoding", "zstd"); reply.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("64 MiB in %d bytes: %d %.200s", len(bomb), reply.StatusCode, got)
	}
}

func TestStatementMayComeAsAForm(t *testing.T) {
	e, _ := onEngine(t)
	form := "--b\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT {a:String}\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"param_a\"\r\n\r\n" + strings.Repeat("x", 10_000) + "\r\n--b--\r\n"
	if reply, got := e.call(t, http.MethodPost, "/", []byte(form), "Content-Type", "multipart/form-data; boundary=b"); got != strings.Repeat("x", 10_000)+"\n" {
		t.Errorf("%d %.200s", reply.StatusCode, got)
	}
}
