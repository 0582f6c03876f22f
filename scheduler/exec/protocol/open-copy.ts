import { type IncomingMessage, request as plain } from 'node:http';
import { request as secure } from 'node:https';

import { CopyChannel, copyProtocol } from './copy-channel.ts';

/** A server has answered something else than the upgrade. */
export class CopyRefused extends Error {
  override readonly name = 'CopyRefused';
  readonly response: IncomingMessage;
  constructor(response: IncomingMessage) {
    super(
      `the server answers ${response.statusCode}, and no upgrade to ${copyProtocol}: a proxy before it may keep those from it, or it is of another version`,
    );
    this.response = response;
  }
}

/** How long a server may take to answer. Milliseconds. */
const patience = 15_000;

/**
 * Opens the connection of a copy; it is paused.
 * @param url `http` or `https`
 * @throws CopyRefused with the answer to read, or what the way there failed with
 */
export function openCopy(
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<CopyChannel> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? secure : plain)(url, {
      agent: false,
      headers: { ...headers, Connection: 'Upgrade', Upgrade: copyProtocol },
      timeout: patience,
      ...(signal && { signal }),
    });
    request.on('timeout', () => request.destroy(new Error('the server does not answer')));
    request.on('error', reject);
    request.on('response', (response) => reject(new CopyRefused(response)));
    request.on('upgrade', (_response, socket, head) => resolve(new CopyChannel(socket, head)));
    request.end();
  });
}
