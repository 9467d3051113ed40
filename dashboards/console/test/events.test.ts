import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventParser, type ServerEvent } from '../src/api/events.ts';

const stream = 'retry: 1500\n\nevent: pulse\ndata: {"a":1}\n\n: heartbeat\n\nid: 7\r\ndata: one\r\ndata: two\r\n\r\nevent: empty\n\ndata:x\r\rdata: last\n\n';
const events: ServerEvent[] = [
  { event: 'pulse', data: '{"a":1}' }, { event: 'message', data: 'one\ntwo' }, { event: 'message', data: 'x' }, { event: 'message', data: 'last' },
];

test('a stream is read however it is cut', () => {
  for (let size = 1; size <= stream.length; size++) {
    const parser = new EventParser();
    const got: ServerEvent[] = [];
    for (let i = 0; i < stream.length; i += size) got.push(...parser.push(stream.slice(i, i + size)));
    assert.deepEqual(got, events, `in pieces of ${size}`);
    assert.equal(parser.retry, 1500);
  }
});

test('an event that is cut off is none', () => {
  assert.deepEqual(new EventParser().push('data: half'), []);
});
