package appliance

import (
	"context"
	"sync/atomic"

	"github.com/millrace/millrace/ingest/stream"
)

// ackedLog is a log that remembers the newest entry acknowledged in each partition, so that
// a query need not ask the log's server how far it has come. All appends of the appliance
// go through it.
type ackedLog struct {
	stream.Log
	newest []atomic.Uint64 // by partition
}

// rememberAcked wraps a log just opened.
func rememberAcked(ctx context.Context, log stream.Log) (*ackedLog, error) {
	l := &ackedLog{Log: log, newest: make([]atomic.Uint64, log.Partitions())}
	for p := range l.newest {
		head, err := log.Head(ctx, p)
		if err != nil {
			return nil, err
		}
		l.newest[p].Store(head)
	}
	return l, nil
}

// Append implements stream.Log.
func (l *ackedLog) Append(ctx context.Context, partition int, payload []byte) (uint64, error) {
	seq, err := l.Log.Append(ctx, partition, payload)
	if err != nil {
		return seq, err
	}
	newest := &l.newest[partition]
	for was := newest.Load(); seq > was; was = newest.Load() {
		if newest.CompareAndSwap(was, seq) {
			break
		}
	}
	return seq, nil
}

// acked returns the newest entry acknowledged in a partition.
func (l *ackedLog) acked(partition int) uint64 { return l.newest[partition].Load() }
