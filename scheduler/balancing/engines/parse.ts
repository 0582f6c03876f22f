import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { z } from 'zod';
import { blockList, compileRouter, type DesiredState, isHttp } from '../../routing/index.ts';
import { EngineError } from './contract.ts';

const id = z.string().min(1).max(255);
/** A header's or cookie's name as RFC 9110 has it. */
const token = z.string().regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/);
/** What may stand in a header's value or in a request line: no control characters. */
const line = (longest: number) =>
  z
    .string()
    .max(longest)
    .regex(/^\P{Cc}*$/u);
const port = z.int().min(1).max(65_535);
const address = z.string().refine((text) => isIP(text) !== 0, 'is no IP address');
const block = z.string().refine(isBlock, 'is no block of addresses such as 10.0.0.0/8');

const patterns = { values: z.array(line(256)).max(20), regexValues: z.array(line(256)).max(20) };
const condition = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('host-header'), ...patterns }),
  z.strictObject({ kind: z.literal('path-pattern'), ...patterns }),
  z.strictObject({ kind: z.literal('http-header'), name: token, ...patterns }),
  z.strictObject({ kind: z.literal('http-request-method'), values: z.array(token).max(20) }),
  z.strictObject({
    kind: z.literal('query-string'),
    values: z.array(z.strictObject({ key: line(256).optional(), value: line(256) })).max(20),
  }),
  z.strictObject({ kind: z.literal('source-ip'), values: z.array(block).max(20) }),
]);

const forward = z.strictObject({
  kind: z.literal('forward'),
  targetGroups: z
    .array(z.strictObject({ id, weight: z.int().min(0).max(999) }))
    .min(1)
    .max(5),
  stickySeconds: z.int().min(1).max(604_800).optional(),
});
const action = z.discriminatedUnion('kind', [
  forward,
  z.strictObject({
    kind: z.literal('redirect'),
    status: z.literal([301, 302]),
    protocol: z.string().regex(/^(HTTPS?|#\{protocol\})$/i),
    host: line(256).min(1),
    port: z.string().regex(/^(\d{1,5}|#\{port\})$/),
    path: line(256).startsWith('/'),
    query: line(256),
  }),
  z.strictObject({
    kind: z.literal('fixed-response'),
    status: z.int().refine((status) => (status >= 200 && status < 300) || (status >= 400 && status < 600)),
    contentType: z.literal(['text/plain', 'text/css', 'text/html', 'application/javascript', 'application/json']),
    body: z.string().max(1024),
  }),
]);

const tls = z.strictObject({
  certificates: z.array(id).min(1).max(26),
  versions: z
    .array(z.literal(['TLSv1.2', 'TLSv1.3']))
    .min(1)
    .max(2),
  ciphers: z.array(z.string().regex(/^[A-Z0-9-]{1,64}$/)).max(64),
  alpn: z
    .array(z.literal(['h2', 'http/1.1', 'http/1.0']))
    .max(3)
    .optional(),
});
const base = {
  id,
  loadBalancerId: id,
  address,
  port,
  admitted: z.array(block).max(5000),
  tls: tls.optional(),
};
const seconds = z.int().min(1).max(604_800);
const listener = z
  .discriminatedUnion('protocol', [
    z.strictObject({
      ...base,
      protocol: z.literal(['HTTP', 'HTTPS']),
      dnsName: z.string().regex(/^[A-Za-z0-9.-]{1,253}$/),
      attributes: z.strictObject({
        idleTimeout: seconds,
        clientKeepAlive: seconds,
        dropInvalidHeaderFields: z.boolean(),
        preserveHostHeader: z.boolean(),
        forwardedFor: z.literal(['append', 'preserve', 'remove']),
        forwardedForWithPort: z.boolean(),
        http2: z.boolean(),
        tlsHeaders: z.boolean(),
        serverHeader: z.boolean(),
        responseHeaders: z.record(token, line(2048)),
      }),
      rules: z.array(z.strictObject({ id, conditions: z.array(condition).min(1).max(20), action })).max(10_000),
      defaultAction: action,
    }),
    z.strictObject({ ...base, protocol: z.literal(['TCP', 'TLS']), idleTimeout: seconds, defaultAction: forward }),
  ])
  .refine(
    ({ protocol, tls }) => (tls !== undefined) === (protocol === 'HTTPS' || protocol === 'TLS'),
    'needs `tls` exactly for HTTPS and TLS',
  );

const targetGroup = z.strictObject({
  id,
  protocol: z.literal(['HTTP', 'HTTPS', 'TCP', 'TLS']),
  protocolVersion: z.literal(['HTTP1', 'HTTP2', 'GRPC']),
  algorithm: z.literal(['round_robin', 'least_outstanding_requests', 'weighted_random']),
  slowStart: z.int().min(0).max(900),
  stickiness: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('lb_cookie'), seconds }),
      z.strictObject({ kind: z.literal('app_cookie'), seconds, cookieName: token }),
      z.strictObject({ kind: z.literal('source_ip') }),
    ])
    .optional(),
  retrySafe: z.boolean(),
  freshConnections: z.boolean(),
  proxyProtocol: z.boolean(),
  targets: z
    .array(
      z.strictObject({
        registrationId: id,
        address,
        port,
        weight: z.int().min(1).max(256),
        state: z.literal(['up', 'down', 'draining']),
      }),
    )
    .max(4000),
});

const document = z.strictObject({
  generation: z.int().min(1),
  cookieKey: z.string().regex(/^[0-9a-f]{64}$/),
  certificates: z.array(z.strictObject({ id, chain: z.string().max(200_000), privateKey: z.string().max(20_000) })),
  listeners: z.array(listener),
  targetGroups: z.array(targetGroup),
}) satisfies z.ZodType<DesiredState>;

/**
 * Takes a desired state apart as an engine does before it touches anything: shapes, limits, names that are used and not given, names given
 * twice, certificates, and every pattern.
 * @throws EngineError that names the first fault.
 */
export function parseDesiredState(given: unknown): DesiredState {
  const parsed = document.safeParse(given);
  if (!parsed.success) throw new EngineError(`this is no desired state: ${z.prettifyError(parsed.error)}`);
  const state = parsed.data;
  const groups = unique('target group', state.targetGroups);
  const certificates = unique('certificate', state.certificates);
  unique('listener', state.listeners);
  const places = new Map<string, string>();
  for (const certificate of state.certificates) checkCertificate(certificate);
  for (const group of state.targetGroups) {
    unique(
      `target of ${group.id}`,
      group.targets.map(({ registrationId }) => ({ id: registrationId })),
    );
  }
  for (const one of state.listeners) {
    const place = `${one.address} port ${one.port}`;
    const other = places.get(place);
    if (other !== undefined) throw new EngineError(`the listeners ${other} and ${one.id} both have ${place}`);
    places.set(place, one.id);
    for (const name of one.tls?.certificates ?? []) {
      if (!certificates.has(name))
        throw new EngineError(`the listener ${one.id} has the certificate ${name}, which is not given`);
    }
    const actions = [one.defaultAction, ...(isHttp(one) ? one.rules.map((rule) => rule.action) : [])];
    for (const forwarded of actions.flatMap((given) => (given.kind === 'forward' ? given.targetGroups : []))) {
      const group = groups.get(forwarded.id);
      if (group === undefined)
        throw new EngineError(`the listener ${one.id} forwards to ${forwarded.id}, which is not given`);
      if ((group.protocol === 'HTTP' || group.protocol === 'HTTPS') !== isHttp(one)) {
        throw new EngineError(
          `the listener ${one.id} (${one.protocol}) cannot forward to ${group.id} (${group.protocol})`,
        );
      }
    }
    if (!isHttp(one)) continue;
    unique(`rule of ${one.id}`, one.rules);
    try {
      compileRouter(one, state.cookieKey);
    } catch (error) {
      throw new EngineError(`the listener ${one.id} cannot be carried out: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
  return state;
}

function unique<T extends { readonly id: string }>(what: string, all: readonly T[]): ReadonlyMap<string, T> {
  const byId = new Map<string, T>();
  for (const one of all) {
    if (byId.has(one.id)) throw new EngineError(`the ${what} ${one.id} is given twice`);
    byId.set(one.id, one);
  }
  return byId;
}

function checkCertificate({ id, chain, privateKey }: DesiredState['certificates'][number]): void {
  try {
    if (!new X509Certificate(chain).checkPrivateKey(createPrivateKey(privateKey)))
      throw new Error('the key is of another certificate');
  } catch (error) {
    throw new EngineError(`the certificate ${id} cannot be used: ${(error as Error).message}`, { cause: error });
  }
}

function isBlock(text: string): boolean {
  try {
    blockList([text]);
    return true;
  } catch {
    return false;
  }
}
