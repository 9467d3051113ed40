package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// nativeEncoder turns Native blocks as the engine writes them (revision 0) into those of
// the revision that a client has asked for. It keeps its buffer between calls.
type nativeEncoder struct {
	out chproto.Buffer
}

func newBlock() *proto.Block {
	return &proto.Block{ServerContext: &column.ServerContext{Timezone: time.UTC}}
}

// encode converts whole blocks. The returned bytes are valid until the next call.
func (e *nativeEncoder) encode(data []byte, revision uint64) ([]byte, error) {
	e.out.Reset()
	r := chproto.NewReader(bytes.NewReader(data))
	for {
		block := newBlock()
		err := block.Decode(r, 0)
		if errors.Is(err, io.EOF) && len(block.Columns) == 0 {
			return e.out.Buf, nil
		}
		if err != nil {
			return nil, newException(codeNotImplemented, "Convert the result for client_protocol_version %d: %v; a state column may be selected as hex(…). (NOT_IMPLEMENTED)", revision, err)
		}
		if err := block.Encode(&e.out, revision); err != nil {
			return nil, newException(codeUnknown, "Convert the result for client_protocol_version %d: %v. (UNKNOWN_EXCEPTION)", revision, err)
		}
	}
}

// headerBlock turns the rows of a DESCRIBE into an empty block of those columns. It does
// without proto.Block, which writes the prefix of a LowCardinality column that no reader
// expects in a block without rows.
func headerBlock(described []byte, revision uint64) ([]byte, error) {
	var body chproto.Buffer
	columns := 0
	r := chproto.NewReader(bytes.NewReader(described))
	for {
		block := newBlock()
		err := block.Decode(r, 0)
		if errors.Is(err, io.EOF) && len(block.Columns) == 0 {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read description of empty result: %w", err)
		}
		for i := range block.Rows() {
			var name, typ string
			if err := block.Columns[0].ScanRow(&name, i); err != nil {
				return nil, fmt.Errorf("read name of column %d: %w", columns, err)
			}
			if err := block.Columns[1].ScanRow(&typ, i); err != nil {
				return nil, fmt.Errorf("read type of column %s: %w", name, err)
			}
			body.PutString(name)
			body.PutString(typ)
			if revision >= proto.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION {
				body.PutBool(false)
			}
			columns++
		}
	}
	var out chproto.Buffer
	if revision > 0 {
		chproto.BlockInfo{BucketNum: -1}.Encode(&out)
	}
	out.PutUVarInt(uint64(columns))
	out.PutUVarInt(0)
	return append(out.Buf, body.Buf...), nil
}
