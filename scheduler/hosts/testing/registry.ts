import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

import { GatewayError, type WebRoute, type WebService } from '@slipway/auth/contract';

const manifestType = 'application/vnd.docker.distribution.manifest.v2+json';
const digestOf = (body: Uint8Array): string => `sha256:${createHash('sha256').update(body).digest('hex')}`;

/** A registry behind the gateway that serves one image under any repository name, and counts what is asked of it. */
export class TestRegistry implements WebService {
  readonly name = 'registry';
  readonly prefix = '/v2/';
  readonly authentication = 'docker';
  readonly digest: string;
  /** How often the manifest's body was fetched by its digest or tag. */
  manifestReads = 0;
  /** Callers that asked for the manifest, by ARN. */
  readonly callers = new Set<string>();
  readonly #content = new Map<string, { readonly type: string; readonly body: Buffer }>();

  private constructor(layer: Buffer) {
    const zipped = gzipSync(layer);
    const config = Buffer.from(
      JSON.stringify({
        architecture: 'amd64',
        os: 'linux',
        config: { Entrypoint: ['/bin/busybox', 'sh', '-c'], Cmd: ['exit 21'] },
        rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
      }),
    );
    const entry = (mediaType: string, body: Buffer): object => ({
      mediaType,
      size: body.length,
      digest: this.#add(mediaType, body),
    });
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        config: entry('application/vnd.docker.container.image.v1+json', config),
        layers: [entry('application/vnd.docker.image.rootfs.diff.tar.gzip', zipped)],
      }),
    );
    this.digest = this.#add(manifestType, manifest);
  }

  /** @param mark makes the image different from every other test's */
  static async open(mark: string): Promise<TestRegistry> {
    const script = `d=$(mktemp -d) && mkdir -p $d/bin && cp /usr/bin/busybox $d/bin/ && echo ${mark} > $d/mark && tar -C $d -c . ; rm -rf $d`;
    const { stdout } = await promisify(execFile)('sh', ['-c', script], {
      encoding: 'buffer',
      maxBuffer: 64 * 1024 * 1024,
    });
    return new TestRegistry(stdout);
  }

  route(method: string, path: string): WebRoute | undefined {
    const match = /^\/v2\/(?:(.+)\/(manifests|blobs)\/([^/]+))?$/.exec(path);
    if (match === null || (method !== 'GET' && method !== 'HEAD')) return undefined;
    const [, , kind, reference = ''] = match;
    return {
      name: `${method} ${kind ?? 'base'}`,
      access: 'authenticated',
      handle: async (ctx, call) => {
        const digest = reference.startsWith('sha256:') ? reference : this.digest;
        const found = this.#content.get(digest);
        if (kind !== undefined && found === undefined) throw new GatewayError('not-found', 'no such image');
        ctx.status = 200;
        if (kind === 'manifests') {
          this.callers.add(call.principal.arn);
          if (method === 'GET') this.manifestReads += 1;
          ctx.set('Docker-Content-Digest', digest);
        }
        ctx.body = found?.body ?? Buffer.from('{}');
        ctx.set('Content-Type', found?.type ?? 'application/json');
      },
    };
  }

  renderError(ctx: Parameters<WebService['renderError']>[0], error: unknown): void {
    const status = { unauthenticated: 401, denied: 403, 'not-found': 404 } as Record<string, number>;
    ctx.status = error instanceof GatewayError ? (status[error.kind] ?? 400) : 500;
    ctx.body = { errors: [{ code: 'UNAUTHORIZED', message: (error as Error).message }] };
  }

  #add(type: string, body: Buffer): string {
    const digest = digestOf(body);
    this.#content.set(digest, { type, body });
    return digest;
  }
}
