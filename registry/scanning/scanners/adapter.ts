import type { Clock } from '@slipway/storage/clock';
import * as z from 'zod';
import { scoreOf, severityOfWord } from '../../advisories/index.ts';
import { BoundedJson } from './bounded-json.ts';
import { type Finding, type Scanner, ScannerFailed, type ScanReport, type ScanTarget } from './scanner.ts';

/** The one way out; give it the guarded client. Redirects must be left to the caller (`redirect: 'manual'`). */
export type AdapterFetch = (
  url: string,
  options: {
    readonly method: 'GET' | 'POST';
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly redirect: 'manual';
    readonly signal: AbortSignal;
  },
) => Promise<Pick<Response, 'status' | 'headers' | 'body'>>;

export interface AdapterOptions {
  /** Where the adapter listens; `/api/v1/…` comes behind it. */
  readonly url: string;
  readonly fetch: AdapterFetch;
  readonly clock: Clock;
  /** How we prove ourselves to the adapter. Default: not at all. */
  readonly authorization?:
    | { readonly kind: 'bearer'; readonly token: string }
    | { readonly kind: 'basic'; readonly user: string; readonly password: string }
    | { readonly kind: 'api-key'; readonly key: string };
  /** The registry as the adapter reaches it, and a header with which it may pull this repository for a while. */
  readonly registry: (target: ScanTarget) => Promise<{ readonly url: string; readonly authorization: string }>;
  /** Milliseconds one request may take. Default 30 seconds. */
  readonly requestTime?: number;
  /** Bytes of a report. Default 32 MiB. */
  readonly reportBytes?: number;
  /** Milliseconds between two looks for the report where the adapter does not say. Default 5 seconds, at most a minute. */
  readonly pollEvery?: number;
}

const types = {
  request: 'application/vnd.scanner.adapter.scan.request+json; version=1.0',
  scan: 'application/vnd.scanner.adapter.scan.response+json; version=1.0',
  metadata: 'application/vnd.scanner.adapter.metadata+json; version=1.0',
  report: 'application/vnd.security.vulnerability.report; version=1.1',
} as const;

const word = z.string().max(100_000);
const vulnerability = z.object({
  id: z.string().min(1).max(500),
  package: z.string().max(1000),
  version: z.string().max(1000).default(''),
  fix_version: z.string().max(1000).nullish(),
  severity: z.string().max(50).nullish(),
  description: word.nullish(),
  links: z.array(z.string().max(10_000)).max(1000).nullish(),
  preferred_cvss: z
    .object({ vector_v3: z.string().max(500).nullish(), vector_v2: z.string().max(500).nullish() })
    .nullish(),
});
const reportShape = z.object({
  generated_at: z.string().max(100).nullish(),
  artifact: z.object({ digest: z.string().max(200).nullish() }).nullish(),
  vulnerabilities: z.array(vulnerability).max(100_000).nullish(),
});
const scanShape = z.object({ id: z.string().min(1).max(1000) });
const metadataShape = z.object({
  scanner: z.object({
    name: z.string().max(200),
    vendor: z.string().max(200).nullish(),
    version: z.string().max(200).nullish(),
  }),
  capabilities: z
    .array(
      z.object({
        consumes_mime_types: z.array(z.string().max(300)).max(100),
        produces_mime_types: z.array(z.string().max(300)).max(100),
      }),
    )
    .max(100),
});
export type AdapterMetadata = z.infer<typeof metadataShape>;

/** A scanner behind the pluggable scanner adapter API that Harbor published (version 1.x), reached over HTTP. */
export function adapterScanner(
  options: AdapterOptions,
): Scanner & { metadata(signal: AbortSignal): Promise<AdapterMetadata> } {
  const base = options.url.replace(/\/+$/, '');
  const { clock } = options;

  const call = async (
    path: string,
    accept: string,
    signal: AbortSignal,
    body?: unknown,
  ): Promise<{ status: number; headers: Headers; body: BoundedJson }> => {
    const timeout = AbortSignal.any([signal, AbortSignal.timeout(options.requestTime ?? 30_000)]);
    try {
      const response = await options.fetch(`${base}/api/v1/${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          accept,
          ...authorizationOf(options.authorization),
          ...(body === undefined ? {} : { 'content-type': types.request }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: 'manual',
        signal: timeout,
      });
      return {
        status: response.status,
        headers: response.headers,
        body: await bounded(response.body, options.reportBytes ?? 32 * 1024 * 1024),
      };
    } catch (cause) {
      if (cause instanceof ScannerFailed) throw cause;
      signal.throwIfAborted();
      throw new ScannerFailed('The scanner adapter cannot be reached, or did not answer in time.', { cause });
    }
  };

  const report = async (id: string, digest: string, signal: AbortSignal): Promise<ScanReport> => {
    for (;;) {
      const { status, headers, body } = await call(`scan/${encodeURIComponent(id)}/report`, types.report, signal);
      if (status === 200) return reportOf(parsed(reportShape, body, 'report'), digest);
      // 302 says "not yet", and how many seconds to wait.
      if (status !== 302) throw new ScannerFailed(`The scanner adapter answered ${status} for the report.`);
      const seconds = Number(headers.get('refresh-after') ?? Number.NaN);
      const wait = seconds > 0 ? seconds * 1000 : (options.pollEvery ?? 5000);
      await clock.sleep(Math.min(wait, 60_000), signal);
    }
  };

  return {
    name: 'adapter',
    async scan(target, signal) {
      const { status, body } = await call('scan', types.scan, signal, {
        registry: await options.registry(target),
        artifact: {
          repository: target.repository,
          digest: target.digest,
          mime_type: target.mediaType,
          ...(target.tags[0] === undefined ? {} : { tag: target.tags[0] }),
        },
      });
      if (status !== 202 && status !== 200)
        throw new ScannerFailed(`The scanner adapter answered ${status} for the scan.`);
      return report(parsed(scanShape, body, 'answer').id, target.digest, signal);
    },
    async metadata(signal) {
      const { status, body } = await call('metadata', types.metadata, signal);
      if (status !== 200) throw new ScannerFailed(`The scanner adapter answered ${status} for its metadata.`);
      return parsed(metadataShape, body, 'metadata');
    },
  };
}

function authorizationOf(authorization: AdapterOptions['authorization']): Record<string, string> {
  switch (authorization?.kind) {
    case undefined:
      return {};
    case 'bearer':
      return { authorization: `Bearer ${authorization.token}` };
    case 'basic':
      return {
        authorization: `Basic ${Buffer.from(`${authorization.user}:${authorization.password}`).toString('base64')}`,
      };
    case 'api-key':
      return { 'x-scanneradapter-api-key': authorization.key };
  }
}

async function bounded(body: ReadableStream<Uint8Array> | null, most: number): Promise<BoundedJson> {
  const answer = new BoundedJson("The scanner adapter's answer", most);
  for await (const chunk of body ?? []) answer.take(chunk);
  return answer;
}

function parsed<T>(shape: z.ZodType<T>, body: BoundedJson, what: string): T {
  const result = shape.safeParse(body.read());
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ScannerFailed(
    `The scanner adapter's ${what} is not what it should be at '${issue?.path.join('.') ?? ''}': ${issue?.message ?? ''}`,
  );
}

function reportOf(report: z.infer<typeof reportShape>, digest: string): ScanReport {
  const about = report.artifact?.digest;
  if (about && about !== digest)
    throw new ScannerFailed('The scanner adapter reported on another image than it was asked about.');
  const generated = Date.parse(report.generated_at ?? '');
  return {
    findings: (report.vulnerabilities ?? []).map(findingOf),
    ...(Number.isFinite(generated) ? { knowledgeFrom: generated } : {}),
  };
}

function findingOf(found: z.infer<typeof vulnerability>): Finding {
  const vector = found.preferred_cvss?.vector_v3 || found.preferred_cvss?.vector_v2;
  const score = vector ? scoreOf(vector) : undefined;
  return {
    name: found.id,
    severity: severityOfWord(found.severity) ?? 'UNDEFINED',
    description: found.description ?? '',
    uri: found.links?.[0] ?? '',
    package: { name: found.package, version: found.version },
    references: found.links ?? [],
    ...(found.fix_version ? { fixedIn: found.fix_version } : {}),
    ...(score ? { score } : {}),
  };
}
