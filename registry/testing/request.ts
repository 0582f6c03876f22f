import { request as open } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  /** The connection was cut, by us or by the other side, before the whole answer was here. */
  readonly cut: boolean;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Cuts the connection after so many bytes of the body were sent. */
  readonly cutSentAfter?: number;
  /** Cuts the connection after so many bytes of the answer's body came. */
  readonly cutReceivedAfter?: number;
}

/** One request on a connection of its own, which may be cut at a byte. Status 0: there was no answer at all. */
export function send(method: string, url: string, options: RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve) => {
    const { body, cutSentAfter, cutReceivedAfter } = options;
    const headers = { ...options.headers, ...(body === undefined ? {} : { 'content-length': String(body.length) }) };
    const request = open(url, { method, headers, agent: false });
    const nothing: Answer = { status: 0, headers: {}, body: Buffer.alloc(0), cut: true };
    request.on('error', () => resolve(nothing));
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const answer = (cut: boolean): void => {
        const received = Buffer.concat(chunks);
        const kept = cutReceivedAfter === undefined ? received : received.subarray(0, cutReceivedAfter);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: kept, cut });
      };
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (cutReceivedAfter === undefined || size < cutReceivedAfter) return;
        answer(true);
        request.destroy();
      });
      response.on('end', () => answer(false));
      response.on('error', () => answer(true));
    });
    if (body === undefined || cutSentAfter === undefined) request.end(body);
    else
      request.write(body.subarray(0, cutSentAfter), () => {
        // The bytes are with the system; let some of them arrive.
        setImmediate(() => request.destroy());
        setImmediate(() => resolve(nothing));
      });
  });
}
