import aws4 from 'aws4';
import { createHash, createHmac } from 'node:crypto';

import { region } from './open-objects.ts';

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Headers of a signed request, whose body is as `payload` says. */
export function signed(
  url: string,
  keys: Keys,
  request: {
    readonly method: string;
    readonly path: string;
    readonly payload?: string;
    readonly headers?: Record<string, string>;
  },
): Record<string, string> {
  const { method, path, payload = 'UNSIGNED-PAYLOAD', headers = {} } = request;
  const { headers: all } = aws4.sign(
    {
      method,
      path,
      host: new URL(url).host,
      service: 's3',
      region,
      headers: { ...headers, 'X-Amz-Content-Sha256': payload },
    },
    keys,
  );
  const { Host: _, 'Content-Length': _length, ...sent } = all as Record<string, string>;
  return sent;
}

/** A body of signed chunks (S3 API reference, "Signature calculations: transferring payload in multiple chunks"), by another hand than ours. */
export function chunked(
  keys: Keys,
  {
    headers,
    chunks,
    trailers = {},
  }: {
    readonly headers: Record<string, string>;
    readonly chunks: readonly Uint8Array[];
    readonly trailers?: Record<string, string>;
  },
): Buffer {
  const date = headers['X-Amz-Date'] ?? '';
  const scope = `${date.slice(0, 8)}/${region}/s3/aws4_request`;
  const key = hmac(hmac(hmac(hmac(`AWS4${keys.secretAccessKey}`, date.slice(0, 8)), region), 's3'), 'aws4_request');
  let before = /Signature=([0-9a-f]+)/.exec(headers['Authorization'] ?? '')?.[1] ?? '';
  const sign = (kind: string, hashed: string): string =>
    (before = hmac(key, `AWS4-HMAC-SHA256-${kind}\n${date}\n${scope}\n${before}\n${hashed}`).toString('hex'));
  const parts: Uint8Array[] = [];
  for (const chunk of [...chunks, new Uint8Array(0)]) {
    parts.push(
      Buffer.from(
        `${chunk.byteLength.toString(16)};chunk-signature=${sign('PAYLOAD', `${sha256('')}\n${sha256(chunk)}`)}\r\n`,
      ),
      chunk,
    );
    if (chunk.byteLength > 0) parts.push(Buffer.from('\r\n'));
  }
  const lines = Object.entries(trailers);
  for (const [name, value] of lines) parts.push(Buffer.from(`${name}:${value}\r\n`));
  if (lines.length > 0)
    parts.push(
      Buffer.from(
        `x-amz-trailer-signature:${sign('TRAILER', sha256(lines.map(([name, value]) => `${name}:${value}\n`).join('')))}\r\n`,
      ),
    );
  return Buffer.concat([...parts, Buffer.from('\r\n')]);
}
