import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Something that breaks a connection in the middle of a blob. */
export interface CuttingProxy extends AsyncDisposable {
  /** Host and port; what it leads to is served under this name too. */
  readonly host: string;
  /** Blobs that were cut on their way to a client. */
  readonly cutDownloads: number;
  readonly cutUploads: number;
  /** First bytes that clients asked for after that, from their Range headers. */
  readonly resumedAt: readonly number[];
}

/** A proxy before `target` that cuts each blob's first download, and the first upload, once `after` bytes have passed. */
export async function startCuttingProxy(target: string, after: number): Promise<CuttingProxy> {
  const [hostname = '', port] = target.split(':');
  const cut = new Set<string>();
  const resumedAt: number[] = [];
  let cutUploads = 0;

  function pass(from: IncomingMessage, to: ServerResponse): void {
    const { method, url = '', headers } = from;
    const blob = method === 'GET' && url.includes('/blobs/sha') ? url : undefined;
    const offset = /^bytes=(\d+)-/.exec(headers.range ?? '')?.[1];
    if (blob !== undefined && cut.has(blob) && offset !== undefined) resumedAt.push(Number(offset));
    const onward = request({ hostname, port, method, path: url, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      const whole = Number(answer.headers['content-length']);
      if (blob !== undefined && !cut.has(blob) && whole > after) {
        cut.add(blob);
        breakAfter(answer, () => from.socket.destroy());
      }
      answer.pipe(to);
      answer.on('error', () => from.socket.destroy());
    });
    onward.on('error', () => from.socket.destroy());
    if ((method === 'PATCH' || method === 'PUT') && url.includes('/blobs/uploads/') && cutUploads === 0)
      breakAfter(from, () => {
        cutUploads++;
        onward.destroy();
        from.socket.destroy();
      });
    from.pipe(onward);
  }

  function breakAfter(stream: IncomingMessage, act: () => void): void {
    let passed = 0;
    const watch = (chunk: Buffer): void => {
      passed += chunk.length;
      if (passed <= after) return;
      stream.off('data', watch);
      act();
    };
    stream.on('data', watch);
  }

  const server = createServer(pass);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get cutDownloads() {
      return cut.size;
    },
    get cutUploads() {
      return cutUploads;
    },
    resumedAt,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
