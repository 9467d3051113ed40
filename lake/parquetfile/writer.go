package parquetfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/metadata"
	"github.com/apache/arrow/go/v15/parquet/schema"
	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"

	"github.com/millrace/millrace/internal/event"
)

// rowGroupRows is where a row group ends: compressed pages of one row group are the
// writer's memory, some 25 MB at 25 bytes a row.
const rowGroupRows = 1 << 20

// bufferBytes gathers small writes: page headers are some 20 bytes each.
const bufferBytes = 128 << 10

// secondsPerDay divides event times into days.
const secondsPerDay = 86400

// Summary is what is known of a finished file.
type Summary struct {
	Rows      int64
	SizeBytes int64
	Checksum  string  // xxhash64 of the file, hex
	Days      []int32 // event days in it since 1970, ascending
}

// Writer writes one file after another. It keeps its memory between files and is used by
// one goroutine. Nothing is written before Close of the first row group, so that few
// small rows cost no I/O until then.
type Writer struct {
	schema    *event.Schema
	eventTime int
	columns   []*column // the stream's, then partition, position, arrival
	tree      *schema.Schema
	props     *parquet.WriterProperties
	zstd      *zstd.Encoder
	scratch   []byte
	groupRows int // rowGroupRows, fewer in tests

	buffer *bufio.Writer
	sink   *sink
	meta   *metadata.FileMetaDataBuilder
	groups int
	staged int // rows of the current page
	paged  int // rows in finished pages of the current row group
	rows   int64
	days   dayset
}

// NewWriter returns a writer of a stream's rows; eventTime is its event-time column.
// Start begins the first file.
func NewWriter(s *event.Schema, eventTime int) (*Writer, error) {
	stored, err := StoredSchema(s)
	if err != nil {
		return nil, fmt.Errorf("parquet writer: %w", err)
	}
	if k := s.Columns[eventTime].Type.Kind; k != event.Date && k != event.DateTime64 {
		return nil, fmt.Errorf("parquet writer: event time %q is %s", s.Columns[eventTime].Name, s.Columns[eventTime].Type)
	}
	tree, err := fileSchema(stored.Columns)
	if err != nil {
		return nil, err
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithZeroFrames(true), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("parquet writer: %w", err)
	}
	w := &Writer{schema: s, eventTime: eventTime, tree: tree, zstd: z, groupRows: rowGroupRows, buffer: bufio.NewWriterSize(nil, bufferBytes)}
	options := []parquet.WriterProperty{
		parquet.WithCreatedBy(createdBy), parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(1),
	}
	for _, c := range stored.Columns {
		w.columns = append(w.columns, newColumn(c))
		if k := c.Type.Kind; k != event.Bool && k != event.Float64 && k != event.String {
			options = append(options, parquet.WithEncodingFor(c.Name, parquet.Encodings.DeltaBinaryPacked))
		}
	}
	w.props = parquet.NewWriterProperties(options...)
	return w, nil
}

// Start begins a file; what was not closed is dropped.
func (w *Writer) Start(out io.Writer) {
	for _, c := range w.columns {
		c.reset()
	}
	w.buffer.Reset(out)
	w.sink = &sink{out: w.buffer, hash: xxhash.New()}
	w.meta = metadata.NewFileMetadataBuilder(w.tree, w.props, nil)
	w.groups, w.staged, w.paged, w.rows = 0, 0, 0, 0
	w.days.reset()
}

// Append adds the given rows of one entry (nil: all) with their place in the log.
func (w *Writer) Append(b *event.Batch, rows []uint32, partition int, seq uint64, arrival int64) error {
	n := b.Rows
	if rows != nil {
		n = len(rows)
	}
	return w.append(b, rows, n, func(from, to int) {
		system := w.columns[len(w.schema.Columns):]
		system[0].stageSame(int64(partition), to-from)
		if rows == nil {
			system[1].stageFrom(event.Position{Seq: seq, Row: uint32(from)}.Pack(), to-from)
		} else {
			base := event.Position{Seq: seq}.Pack()
			system[1].rows += to - from
			for _, r := range rows[from:to] {
				system[1].ints = append(system[1].ints, base|int64(r))
			}
		}
		system[2].stageSame(arrival, to-from)
	})
}

// AppendStored adds rows that were read from files of the lake: a batch of StoredSchema.
func (w *Writer) AppendStored(b *event.Batch) error {
	n := len(w.schema.Columns)
	return w.append(b, nil, b.Rows, func(from, to int) {
		for i, c := range w.columns[n:] {
			c.stage(&b.Columns[n+i], nil, from, to)
		}
	})
}

func (w *Writer) append(b *event.Batch, rows []uint32, n int, system func(from, to int)) error {
	for from := 0; from < n; {
		to := min(n, from+pageRows-w.staged)
		for i := range w.schema.Columns {
			w.columns[i].stage(&b.Columns[i], rows, from, to)
		}
		system(from, to)
		w.days.add(&b.Columns[w.eventTime], rows, from, to)
		w.staged += to - from
		w.rows += int64(to - from)
		from = to
		if w.staged == pageRows {
			w.finishPage()
			if w.paged >= w.groupRows {
				if err := w.finishRowGroup(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Rows returns the rows of the current file so far.
func (w *Writer) Rows() int64 { return w.rows }

func (w *Writer) finishPage() {
	for _, c := range w.columns {
		w.scratch = c.finishPage(w.zstd, w.scratch)
	}
	w.paged += w.staged
	w.staged = 0
}

// Close ends the file. It does not close the io.Writer.
func (w *Writer) Close() (Summary, error) {
	if w.staged > 0 {
		w.finishPage()
	}
	if w.paged > 0 {
		if err := w.finishRowGroup(); err != nil {
			return Summary{}, err
		}
	}
	w.sink.begin()
	footer, err := w.meta.Finish()
	if err != nil {
		return Summary{}, fmt.Errorf("write parquet footer: %w", err)
	}
	n, err := footer.WriteTo(w.sink, nil)
	if err == nil {
		tail := append(binary.LittleEndian.AppendUint32(nil, uint32(n)), magic...)
		_, err = w.sink.Write(tail)
	}
	if err == nil {
		err = w.buffer.Flush()
	}
	if err = errors.Join(err, w.sink.err); err != nil {
		return Summary{}, fmt.Errorf("write parquet footer: %w", err)
	}
	return Summary{
		Rows: w.rows, SizeBytes: w.sink.n, Days: w.days.sorted(),
		Checksum: strconv.FormatUint(w.sink.hash.Sum64(), 16),
	}, nil
}

func (w *Writer) finishRowGroup() error {
	w.sink.begin()
	group := w.meta.AppendRowGroup()
	ordinal := int16(w.groups)
	w.groups++
	start := w.sink.n
	for i, c := range w.columns {
		if err := w.writeColumn(group.NextColumnChunk(), c, ordinal, int16(i)); err != nil {
			return fmt.Errorf("write parquet column %s: %w", c.name, err)
		}
		c.reset()
	}
	group.SetNumRows(w.paged)
	w.paged = 0
	if err := group.Finish(w.sink.n-start, ordinal); err != nil {
		return fmt.Errorf("write parquet row group: %w", err)
	}
	return nil
}

// writeColumn writes the dictionary and the pages of one column. arrow's page writer makes
// the headers; its Close is not used, as it lists the encodings in random order.
func (w *Writer) writeColumn(meta *metadata.ColumnChunkMetaDataBuilder, c *column, group, ordinal int16) error {
	pager, err := file.NewPageWriter(w.sink, compress.Codecs.Zstd, 1, meta, group, ordinal, memory.DefaultAllocator, false, nil, nil)
	if err != nil {
		return err
	}
	info := metadata.ChunkMetaInfo{IndexPageOffset: -1}
	start := w.sink.n
	hasDict := len(c.pages) > 0 && c.pages[0].encoding == parquet.Encodings.RLEDict
	if hasDict {
		info.DictPageOffset = start
		dict := file.NewDictionaryPage(memory.NewBufferBytes(c.dict.page), int32(c.dict.entries), parquet.Encodings.Plain)
		if _, err := pager.WriteDictionaryPage(dict); err != nil {
			return err
		}
		info.UncompressedSize += int64(len(c.dict.page)) + pageHeaderBytes
	}
	info.DataPageOffset = w.sink.n
	for _, p := range c.pages {
		data := file.NewDataPageV1(memory.NewBufferBytes(c.arena[p.from:p.to]), int32(p.rows), p.encoding,
			parquet.Encodings.RLE, parquet.Encodings.RLE, int32(p.uncompressed))
		if _, err := pager.WriteDataPage(data); err != nil {
			return err
		}
		info.NumValues += int64(p.rows)
		info.UncompressedSize += int64(p.uncompressed) + pageHeaderBytes
	}
	info.CompressedSize = w.sink.n - start
	c.setStats(meta)
	fallback := hasDict && c.noDict
	if err := meta.Finish(info, hasDict, fallback, metadata.EncodingStats{}, nil); err != nil {
		return err
	}
	if _, err := meta.WriteTo(w.sink); err != nil {
		return err
	}
	return w.sink.err
}

// pageHeaderBytes stands for a page header in the uncompressed size, which readers use as
// an estimate only.
const pageHeaderBytes = 24

// setStats gives a column's bounds to readers that skip row groups by them.
func (c *column) setStats(meta *metadata.ColumnChunkMetaDataBuilder) {
	var stats metadata.EncodedStatistics
	stats.Signed = c.typ.Kind != event.UInt64
	stats.SetNullCount(c.nullSum)
	if c.min <= c.max {
		switch c.typ.Kind {
		case event.Int64, event.DateTime64:
			stats.SetMin(binary.LittleEndian.AppendUint64(nil, uint64(c.min)))
			stats.SetMax(binary.LittleEndian.AppendUint64(nil, uint64(c.max)))
		case event.UInt64:
			stats.SetMin(binary.LittleEndian.AppendUint64(nil, uint64(c.min)^(1<<63)))
			stats.SetMax(binary.LittleEndian.AppendUint64(nil, uint64(c.max)^(1<<63)))
		case event.Date:
			stats.SetMin(binary.LittleEndian.AppendUint32(nil, uint32(c.min)))
			stats.SetMax(binary.LittleEndian.AppendUint32(nil, uint32(c.max)))
		}
	}
	meta.SetStats(stats)
}

// magic begins and ends each file.
const magic = "PAR1"

// sink counts and hashes what is written, and keeps the first error: arrow's writers
// pass over some.
type sink struct {
	out  io.Writer
	hash *xxhash.Digest
	n    int64
	err  error
}

func (s *sink) begin() {
	if s.n == 0 {
		_, _ = s.Write([]byte(magic)) // an error is kept and comes out at the next check
	}
}

// Tell returns the offset in the file.
func (s *sink) Tell() int64 { return s.n }

func (s *sink) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.out.Write(p)
	s.n += int64(n)
	_, _ = s.hash.Write(p[:n]) // never fails
	s.err = err
	return n, err
}

// dayset gathers the event days of a file.
type dayset struct {
	seen map[int32]bool
	lo   int64 // ticks of the day that was met last: [lo, hi)
	hi   int64
}

func (d *dayset) reset() { d.seen, d.lo, d.hi = make(map[int32]bool), 0, 0 }

func (d *dayset) add(v *event.Vector, rows []uint32, from, to int) {
	day := int64(1)
	if v.Type.Kind == event.DateTime64 {
		day = secondsPerDay * event.Pow10[v.Type.Precision]
	}
	for i := from; i < to; i++ {
		r := i
		if rows != nil {
			r = int(rows[i])
		}
		t := v.I64[r]
		if t >= d.lo && t < d.hi {
			continue
		}
		n := event.FloorDiv(t, day)
		d.lo = n * day
		d.hi = d.lo + day
		d.seen[int32(min(max(n, math.MinInt32), math.MaxInt32))] = true
	}
}

func (d *dayset) sorted() []int32 {
	out := make([]int32, 0, len(d.seen))
	for day := range d.seen {
		out = append(out, day)
	}
	slices.Sort(out)
	return out
}
