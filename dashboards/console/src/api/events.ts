// The format of server-sent events, read from a response's body: EventSource cannot send
// the Authorization header.

export interface ServerEvent {
  event: string;
  data: string;
}

/** Takes the text of a stream in pieces, cut anywhere, and gives its events. */
export class EventParser {
  private rest = '';
  private event = '';
  private data: string[] = [];
  /** What the server last asked to wait before a reconnection, in milliseconds. */
  retry: number | undefined;

  push(piece: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    this.rest += piece;
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this.rest); // a \r at the end may be half of \r\n
      if (!end) return events;
      const line = this.rest.slice(0, end.index);
      this.rest = this.rest.slice(end.index + end[0].length);
      if (line === '') {
        if (this.data.length > 0) events.push({ event: this.event || 'message', data: this.data.join('\n') });
        this.event = '';
        this.data = [];
      } else {
        this.field(line);
      }
    }
  }

  private field(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return; // a comment, which is a heartbeat
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.data.push(value);
    else if (name === 'event') this.event = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
  }
}
