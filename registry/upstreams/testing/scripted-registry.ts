import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Digest } from '@slipway/storage/blobs';
import { mediaTypes } from '../../images/index.ts';
import { sha256 } from '../../images/testing/index.ts';

export type Script = (request: IncomingMessage, response: ServerResponse) => void;

/** A registry that answers what it is told to, byte by byte where need be, and notes what it was asked. */
export interface ScriptedRegistry extends AsyncDisposable {
  readonly url: string;
  /** Methods and paths below `/v2/app/`, with the range where there was one, in order. */
  readonly asked: string[];
  /** What it does for a path below `/v2/app/`, e.g. `blobs/sha256:…`; anything else is 404. */
  readonly scripts: Map<string, Script>;
  /** Serves content whole. @returns its digest */
  blob(content: Buffer): Digest;
  /** Serves a manifest by digest and, where given, by tag. @returns its descriptor */
  manifest(
    value: object,
    options?: { readonly tag?: string; readonly type?: string },
  ): {
    readonly mediaType: string;
    readonly digest: Digest;
    readonly size: number;
  };
  /** An image of one layer; everything of it is served. */
  image(seed: string, tag?: string): ReturnType<ScriptedRegistry['manifest']>;
}

export async function startScriptedRegistry(): Promise<ScriptedRegistry> {
  const asked: string[] = [];
  const scripts = new Map<string, Script>();
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').replace('/v2/app/', '');
    const { range } = request.headers;
    asked.push(`${request.method} ${path}${range === undefined ? '' : ` ${range}`}`);
    const script = scripts.get(path);
    if (script) script(request, response);
    else response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[]}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const blob = (content: Buffer): Digest => {
    const digest = sha256(content);
    scripts.set(`blobs/${digest}`, (_, response) =>
      response.writeHead(200, { 'content-length': content.length }).end(content),
    );
    return digest;
  };
  const manifest: ScriptedRegistry['manifest'] = (value, { tag, type } = {}) => {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = sha256(bytes);
    const { mediaType = mediaTypes.ociManifest } = value as { mediaType?: string };
    const serve: Script = (request, response) => {
      response.writeHead(200, {
        'content-type': type ?? mediaType,
        'content-length': bytes.length,
        'docker-content-digest': digest,
      });
      response.end(request.method === 'HEAD' ? undefined : bytes);
    };
    scripts.set(`manifests/${digest}`, serve);
    if (tag !== undefined) scripts.set(`manifests/${tag}`, serve);
    return { mediaType, digest, size: bytes.length };
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    scripts,
    blob,
    manifest,
    image: (seed, tag) => {
      const [config, layer] = [Buffer.from(JSON.stringify({ seed })), Buffer.from(`layer ${seed}`)];
      const type = (name: string): string => `application/vnd.oci.image.${name}`;
      return manifest(
        {
          schemaVersion: 2,
          mediaType: mediaTypes.ociManifest,
          config: { mediaType: type('config.v1+json'), digest: blob(config), size: config.length },
          layers: [{ mediaType: type('layer.v1.tar'), digest: blob(layer), size: layer.length }],
        },
        tag === undefined ? {} : { tag },
      );
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
