import type { HttpListener } from '../../../routing/index.ts';
import { isOfTarget, latencyBegin, latencyLines } from './statistics.ts';
import { argument, formatWord, word } from './words.ts';

/** The methods that are passed on: those that both engines' parsers know, without TRACE and CONNECT. */
export const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'];

/** Headers that some rule is about. Names are in small letters by then, whoever wrote them how. */
const handled = [
  'expect',
  'upgrade',
  'transfer-encoding',
  'keep-alive',
  'proxy-connection',
  'x-forwarded-for',
  'x-amzn-trace-id',
  'x-amzn-tls-version',
  'x-amzn-tls-cipher-suite',
];
const handledLine = `(?:^|\n)(?:(?:${handled.join('|')}):|connection:(?! (?i:keep-alive|close)\r))`;

/** The ACL of requests, most of all, that none of the rules about headers and hosts has anything to do with: they pass by them. */
export const isPlain = '{ var(txn.plain) -m found }';

/** What is refused before any rule, and what the target is not to see. */
export function hygiene({ dnsName, attributes, tls }: HttpListener): Hygiene {
  // The whole header: targets are sent what stands before a comma, too.
  const isKnownHost = `{ req.fhdr(host) -m reg -- ^[A-Za-z0-9._~%!&*+,=:\\[\\];-]+$ }`;
  const isOwnHost = attributes.preserveHostHeader ? isKnownHost : '{ req.fhdr(host) -m reg -- ^[a-z0-9._-]+$ }';
  // Only HTTP/2 lets a client name several, where it names no authority.
  const several = tls === undefined ? undefined : '{ req.fhdr_cnt(host) -m int gt 1 }';
  // That of HTTP/2 names the authority.
  const toPath = 'http-request set-uri %[pathq] if !{ url_beg / } { url_beg -i -- http: https: }';
  const isServed = `{ method -- ${methods.join(' ')} }`;
  return {
    looks: [
      ...(tls === undefined ? [] : [toPath]),
      ...(attributes.dropInvalidHeaderFields ? ['http-request del-header [^-A-Za-z0-9] -m reg'] : []),
      `http-request set-var(txn.plain) bool(true) if ${isServed} { req.ver 1.1 2.0 } { url_beg / } ${isOwnHost}${several === undefined ? '' : ` !${several}`} !{ req.hdrs -m reg -- ${word(handledLine)} }`,
    ],
    careful: [
      `http-request return status 405 if !${isPlain} !${isServed}`,
      `http-request return status 400 if !${isPlain} !{ req.ver 1.0 1.1 2.0 }`,
      `http-request return status 400 if !${isPlain} { req.hdr(transfer-encoding) -m found } { req.ver 1.0 }`,
      `http-request set-header Host ${word(dnsName)} if !${isPlain} !{ req.hdr(host) -m found } { req.ver 1.0 }`,
      `http-request return status 400 if !${isPlain} !${isKnownHost}`,
      ...(several === undefined ? [] : [`http-request return status 400 if !${isPlain} ${several}`]),
      ...(tls === undefined ? [toPath] : []),
      `http-request return status 400 if !${isPlain} !{ path_beg / }`,
      `http-request return status 463 if !${isPlain} { req.hdr_cnt(x-forwarded-for) -m int gt 30 }`,
      `http-request wait-for-body time ${attributes.idleTimeout}s at-least 1 if !${isPlain} { req.hdr(expect) -m str -i -- 100-continue }`,
      // WebSocket alone changes the protocol: nobody gets past the rules to a target that agrees to speak HTTP/2.
      `http-request del-header Upgrade unless ${isPlain} or { req.hdr(upgrade) -m str -i websocket } { method GET } !{ req.hdr(content-length) -m found } !{ req.hdr(transfer-encoding) -m found }`,
      `http-request lua.slipway_hops if !${isPlain} { req.hdr(connection) -m reg -i -- ^(?!(close|keep-alive|upgrade)$) }`,
      `http-request del-header ^(expect|keep-alive|proxy-connection)$ -m reg unless ${isPlain}`,
      `http-request set-var(txn.host) req.fhdr(host),host_only unless ${isPlain}`,
    ],
  };
}

/** The rules in front of all others. */
export interface Hygiene {
  /** Find out whether a request is plain. */
  readonly looks: readonly string[];
  /** Are for those that are not. */
  readonly careful: readonly string[];
}

const digits = 'hex,bytes(8,8),lower';
const eightDigits = `%[rand,${digits}]`;
/** The time, 64 random bits of the connection and 32 of the request: as many as AWS has, drawn once where they can be. */
const traceId = `1-%[date,${digits}]-%[var(sess.trace)]${eightDigits}`;

/** What is noted of a connection, for all of its requests. */
export const beginning: readonly string[] = [
  'tcp-request connection set-var(sess.began) date',
  `tcp-request connection set-var-fmt(sess.trace) ${eightDigits}${eightDigits}`,
];

/** Headers for targets. */
export function outgoing(listener: HttpListener): Outgoing {
  const { attributes, protocol, port } = listener;
  const { forwardedFor, forwardedForWithPort } = attributes;
  const appends = forwardedFor === 'append';
  const peer = forwardedForWithPort ? '%[var(txn.peer)]' : '%[src]';
  const begin = [
    `http-request set-header X-Forwarded-Proto ${protocol === 'HTTPS' ? 'https' : 'http'}`,
    `http-request set-header X-Forwarded-Port ${port}`,
    ...(attributes.tlsHeaders
      ? [
          'http-request set-header x-amzn-tls-version %[ssl_fc_protocol]',
          'http-request set-header x-amzn-tls-cipher-suite %[ssl_fc_cipher]',
        ]
      : []),
    ...(forwardedForWithPort
      ? [
          'http-request set-var-fmt(txn.peer) %[src]:%[src_port]',
          'http-request set-var-fmt(txn.peer) [%[src]]:%[src_port] if { src -m sub -- : }',
        ]
      : []),
  ];
  return {
    plain: [
      ...begin,
      ...(appends && forwardedForWithPort ? [`http-request add-header X-Forwarded-For ${peer} if ${isPlain}`] : []),
      // The option writes the same as a rule would for a request without any, for less.
      ...(appends && !forwardedForWithPort ? ['option forwardfor if-none'] : []),
      `http-request add-header X-Amzn-Trace-Id Root=${traceId} if ${isPlain}`,
      latencyBegin,
      `http-request allow if ${isPlain}`,
    ],
    // A client may have said that one of the first is for the next hop alone.
    careful: [
      ...begin,
      latencyBegin,
      ...(forwardedFor === 'remove' ? ['http-request del-header X-Forwarded-For'] : []),
      ...(appends
        ? [
            `http-request set-header X-Forwarded-For %[req.fhdr(x-forwarded-for)],\\ ${peer} if { req.fhdr_cnt(x-forwarded-for) -m int eq 1 }`,
            `http-request add-header X-Forwarded-For ${peer} ${forwardedForWithPort ? 'unless' : 'if'} { req.fhdr_cnt(x-forwarded-for) -m int ${forwardedForWithPort ? 'eq' : 'gt'} 1 }`,
          ]
        : []),
      `http-request set-var(txn.root) req.hdr(x-amzn-trace-id),regsub(${argument('^.*(1-[0-9a-f]{8}-[0-9a-f]{24}).*$')},${argument('\\1')}) if { req.hdr(x-amzn-trace-id) -m reg -- Root=1-[0-9a-f]{8}-[0-9a-f]{24} }`,
      `http-request set-header X-Amzn-Trace-Id Self=${traceId};Root=%[var(txn.root)] if { var(txn.root) -m found }`,
      `http-request set-header X-Amzn-Trace-Id Root=${traceId} unless { var(txn.root) -m found }`,
      ...(attributes.tlsHeaders
        ? []
        : ['http-request del-header x-amzn-tls-version', 'http-request del-header x-amzn-tls-cipher-suite']),
      ...(attributes.preserveHostHeader
        ? []
        : ['http-request set-header Host %[var(txn.host)] unless { req.fhdr(host),strcmp(txn.host) -m int 0 }']),
    ],
  };
}

/** The rules behind all others. */
export interface Outgoing {
  /** Those that are not plain get past them as they are but for a mark that they were sent, and headers that every request gets. */
  readonly plain: readonly string[];
  readonly careful: readonly string[];
}

/** What is done with answers. Those of targets meet no rule about those of the engine. */
export function incoming({ attributes }: HttpListener): readonly string[] {
  return [
    // No status of HTTP: a client could not read it.
    'http-response return status 502 if { status lt 100 }',
    ...latencyLines,
    ...Object.entries(attributes.responseHeaders).map(
      ([name, value]) => `http-after-response set-header ${word(name)} ${formatWord(value)}`,
    ),
    `http-after-response set-header Connection close if { date,sub(sess.began) -m int ge ${attributes.clientKeepAlive} } !{ status 101 }`,
    `http-after-response allow if ${isOfTarget}`,
    ...(attributes.serverHeader ? ['http-after-response set-header Server slipway'] : []),
    // Refused before any rule of the listener has been looked at.
    'http-after-response set-header Connection close if { status 400 405 422 } !{ var(txn.sent) -m found }',
  ];
}
