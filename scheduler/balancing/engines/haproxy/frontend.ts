import {
  draws,
  type Forward,
  groupCookies,
  isHttp,
  type HttpListener,
  type Listener,
  type StreamListener,
} from '../../../routing/index.ts';
import type { LuaParts } from './lua.ts';
import { blocksFor, ruleLines, ruleName } from './rules.ts';
import { isOfTarget, latencyBegin, latencyLines } from './statistics.ts';
import { argument, formatWord, nameOf, word } from './words.ts';

/** Where generated files go; each is named by its content or by an id of ours. Answers with the path to write into the configuration. */
export interface Files {
  put(folder: 'patterns' | 'bodies', content: string): string;
  /** A file whose content may change while its name stays. */
  map(name: MapName): string;
  certificates(listener: Listener): string;
}

export type MapName = 'thresholds' | 'backends' | 'unsafeBackends' | 'sticky' | 'tokens' | 'groupTokens';

/** The backend that answers 503: of groups without weight, and of what is not known. */
export const nowhere = 'nowhere';
export const nowhereForStreams = 'nowhere-stream';

/** The ACL of requests that may be sent twice. */
export const isSafe = '{ method -- GET HEAD OPTIONS }';

/** The methods that are passed on: those that both engines' parsers know, without TRACE and CONNECT. */
export const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'];

/** How a listener is bound; undefined options are left out. */
function bindLine(listener: Listener, files: Files): string {
  const address = listener.address.includes(':') ? `[${listener.address}]` : listener.address;
  const only = listener.address.includes(':') ? ' v6only' : '';
  const tls = listener.tls;
  // Otherwise it would take the preface of HTTP/2 without TLS for an agreement to speak it.
  const proto = isHttp(listener) ? ' proto h1' : '';
  if (tls === undefined) return `bind ${address}:${listener.port}${only}${proto}`;
  const offered = isHttp(listener) ? [...(listener.attributes.http2 ? ['h2'] : []), 'http/1.1'] : (tls.alpn ?? []);
  const options = [
    `ssl crt-list ${files.certificates(listener)}`,
    `ssl-min-ver ${tls.versions[0]} ssl-max-ver ${tls.versions.at(-1)}`,
    ...(tls.ciphers.length === 0 ? [] : [`ciphers ${tls.ciphers.join(':')}`]),
    ...(offered.length === 0 ? [] : [`alpn ${offered.join(',')}`]),
  ];
  return `bind ${address}:${listener.port}${only} ${options.join(' ')}`;
}

function admission(listener: Listener, files: Files): readonly string[] {
  const blocks = blocksFor(listener, listener.admitted);
  if (blocks.some((block) => block.endsWith('/0'))) return [];
  if (blocks.length === 0) return ['tcp-request connection reject'];
  return [`tcp-request connection reject unless { src -f ${files.put('patterns', `${blocks.join('\n')}\n`)} }`];
}

/** A listener as a frontend: who may connect, what is refused, which rule acts, where a forward goes. */
export function frontend(listener: Listener, files: Files, lua: LuaParts): readonly string[] {
  const body = isHttp(listener) ? httpBody(listener, files, lua) : streamBody(listener, files);
  return [
    `frontend ${nameOf('l', listener.id)}`,
    bindLine(listener, files),
    ...body,
    `default_backend ${isHttp(listener) ? nowhere : nowhereForStreams}`,
  ];
}

function streamBody(listener: StreamListener, files: Files): readonly string[] {
  const shares = shareLines('tcp-request content', files, listener.defaultAction.targetGroups.length > 1, false);
  return [
    'mode tcp',
    `timeout client ${listener.idleTimeout}s`,
    ...admission(listener, files),
    `tcp-request content set-var(txn.rule) str(${ruleName(listener, 0)})`,
    ...shares,
    backendLine('backends', files, shares),
  ];
}

function httpBody(listener: HttpListener, files: Files, lua: LuaParts): readonly string[] {
  const { attributes, rules, defaultAction } = listener;
  const forwards = [defaultAction, ...rules.map(({ action }) => action)].filter(
    (action): action is Forward => action.kind === 'forward',
  );
  const shares = shareLines(
    'http-request',
    files,
    forwards.some(({ targetGroups }) => targetGroups.length > 1),
    forwards.some(({ stickySeconds }) => stickySeconds !== undefined),
  );
  return [
    'mode http',
    `timeout client ${attributes.idleTimeout}s`,
    `timeout http-keep-alive ${Math.min(attributes.idleTimeout, 60)}s`,
    `timeout http-request ${Math.min(attributes.idleTimeout, 60)}s`,
    'option idle-close-on-response',
    ...admission(listener, files),
    'tcp-request connection set-var(sess.began) date',
    ...hygiene(listener),
    'http-request set-var(txn.host) req.hdr(host),host_only',
    ...ruleLines(listener, files, lua),
    ...shares,
    ...outgoing(listener),
    `${backendLine('unsafeBackends', files, shares)} unless ${isSafe}`,
    backendLine('backends', files, shares),
  ];
}

/** What is refused before any rule, and what the target is not to see. */
function hygiene({ dnsName, attributes }: HttpListener): readonly string[] {
  return [
    `http-request return status 405 unless { method -- ${methods.join(' ')} }`,
    'http-request return status 400 unless { req.ver 1.0 1.1 2.0 }',
    'http-request return status 400 if { req.hdr(transfer-encoding) -m found } { req.ver 1.0 }',
    `http-request set-header Host ${word(dnsName)} if !{ req.hdr(host) -m found } { req.ver 1.0 }`,
    `http-request return status 400 unless { req.hdr(host) -m reg -- ^[A-Za-z0-9._~%!&*+,=:\\[\\];-]+$ }`,
    'http-request set-uri %[pathq] if !{ url_beg / } { url_beg -i -- http: https: }',
    'http-request return status 400 unless { path_beg / }',
    'http-request return status 463 if { req.hdr_cnt(x-forwarded-for) -m int gt 30 }',
    ...(attributes.dropInvalidHeaderFields ? ['http-request del-header [^-A-Za-z0-9] -m reg'] : []),
    `http-request wait-for-body time ${attributes.idleTimeout}s at-least 1 if { req.hdr(expect) -m str -i -- 100-continue }`,
    'http-request del-header Expect',
    // WebSocket alone changes the protocol: nobody gets past the rules to a target that agrees to speak HTTP/2.
    'http-request del-header Upgrade unless { req.hdr(upgrade) -m str -i websocket } { method GET } !{ req.hdr(content-length) -m found } !{ req.hdr(transfer-encoding) -m found }',
    'http-request lua.slipway_hops if { req.hdr(connection) -m reg -i -- ^(?!(close|keep-alive|upgrade)$) }',
    'http-request del-header Keep-Alive',
    'http-request del-header Proxy-Connection',
  ];
}

/** The time and 96 random bits, in 32-bit pieces: a UUID would have to be taken apart first. */
const digits = 'hex,bytes(8,8),lower';
const traceId = `1-%[date,${digits}]-${`%[rand,${digits}]`.repeat(3)}`;

/** Headers for targets and for clients. */
function outgoing(listener: HttpListener): readonly string[] {
  const { attributes, protocol, port } = listener;
  const peer = attributes.forwardedForWithPort ? '%[var(txn.peer)]' : '%[src]';
  return [
    ...(attributes.forwardedForWithPort
      ? [
          'http-request set-var-fmt(txn.peer) %[src]:%[src_port]',
          'http-request set-var-fmt(txn.peer) [%[src]]:%[src_port] if { src -m sub -- : }',
        ]
      : []),
    ...(attributes.forwardedFor === 'remove' ? ['http-request del-header X-Forwarded-For'] : []),
    ...(attributes.forwardedFor === 'append'
      ? [
          `http-request set-header X-Forwarded-For %[req.fhdr(x-forwarded-for)],\\ ${peer} if { req.fhdr_cnt(x-forwarded-for) -m int eq 1 }`,
          // The option writes the same as the rule would for a request without any, for less.
          ...(attributes.forwardedForWithPort
            ? [`http-request add-header X-Forwarded-For ${peer} unless { req.fhdr_cnt(x-forwarded-for) -m int eq 1 }`]
            : [
                `http-request add-header X-Forwarded-For ${peer} if { req.fhdr_cnt(x-forwarded-for) -m int gt 1 }`,
                'option forwardfor if-none',
              ]),
        ]
      : []),
    `http-request set-header X-Forwarded-Proto ${protocol === 'HTTPS' ? 'https' : 'http'}`,
    `http-request set-header X-Forwarded-Port ${port}`,
    `http-request set-var(txn.root) req.hdr(x-amzn-trace-id),regsub(${argument('^.*(1-[0-9a-f]{8}-[0-9a-f]{24}).*$')},${argument('\\1')}) if { req.hdr(x-amzn-trace-id) -m reg -- Root=1-[0-9a-f]{8}-[0-9a-f]{24} }`,
    `http-request set-header X-Amzn-Trace-Id Self=${traceId};Root=%[var(txn.root)] if { var(txn.root) -m found }`,
    `http-request set-header X-Amzn-Trace-Id Root=${traceId} unless { var(txn.root) -m found }`,
    ...(attributes.tlsHeaders
      ? [
          'http-request set-header x-amzn-tls-version %[ssl_fc_protocol]',
          'http-request set-header x-amzn-tls-cipher-suite %[ssl_fc_cipher]',
        ]
      : ['http-request del-header x-amzn-tls-version', 'http-request del-header x-amzn-tls-cipher-suite']),
    ...(attributes.preserveHostHeader
      ? []
      : ['http-request set-header Host %[var(txn.host)] unless { req.fhdr(host),strcmp(txn.host) -m int 0 }']),
    latencyBegin,
    // No status of HTTP: a client could not read it.
    'http-response return status 502 if { status lt 100 }',
    ...latencyLines,
    ...Object.entries(attributes.responseHeaders).map(
      ([name, value]) => `http-after-response set-header ${word(name)} ${formatWord(value)}`,
    ),
    ...(attributes.serverHeader ? [`http-after-response set-header Server slipway unless ${isOfTarget}`] : []),
    `http-after-response set-header Connection close if { status 400 405 422 } !${isOfTarget} !{ var(txn.rule) -m found }`,
    `http-after-response set-header Connection close if { date,sub(sess.began) -m int ge ${attributes.clientKeepAlive} } !{ status 101 }`,
  ];
}

/** Which share of a rule's groups a draw falls into, unless a cookie says so; none where every rule has one. All of it in maps, changed at run time. */
function shareLines(verb: string, files: Files, several: boolean, sticky: boolean): readonly string[] {
  const threshold = (slot: number): string =>
    `var(txn.rule),concat(.${slot}),map_str_int(${files.map('thresholds')},${draws})`;
  const next = (slot: number): readonly string[] => [
    `${verb} set-var(txn.share) ${threshold(slot)} if { var(txn.slot) -m str ${slot} }`,
    `${verb} set-var(txn.slot) str(${slot + 1}) if { var(txn.slot) -m str ${slot} } { var(txn.draw),sub(txn.share) -m int ge 0 }`,
  ];
  const divide = several ? [`${verb} set-var(txn.draw) rand(${draws})`, ...[1, 2, 3, 4].flatMap(next)] : [];
  const keep = sticky
    ? [
        `${verb} set-var(txn.sticky) var(txn.rule),map_str_int(${files.map('sticky')})`,
        ...groupCookies.flatMap((name) => keptLines(verb, name, 'txn.sticky')),
        `${verb} set-var(txn.slot) var(txn.rule),concat(.,txn.kept),map_str(${files.map('tokens')}) if { var(txn.kept) -m found } { var(txn.rule),concat(.,txn.kept),map_str(${files.map('tokens')}) -m found }`,
        `${verb} set-var(txn.group) var(txn.rule),concat(.,txn.slot),map_str(${files.map('groupTokens')})`,
        ...cookieLines(groupCookies, '%[var(txn.group)]', '{ var(txn.group) -m found }'),
      ]
    : [];
  return several || sticky ? [`${verb} set-var(txn.slot) str(1)`, ...divide, ...keep] : [];
}

/** The last step from a rule's name to a backend's. @param shares lines that choose the share, if any */
function backendLine(map: 'backends' | 'unsafeBackends', files: Files, shares: readonly string[]): string {
  const slot = shares.length === 0 ? 'concat(.1)' : 'concat(.,txn.slot)';
  return `use_backend %[var(txn.rule),${slot},map_str(${files.map(map)},${nowhere})]`;
}

/** Takes the token of a cookie into `txn.kept` when it is of ours and not older than the seconds, a number or a variable. */
export function keptLines(verb: string, cookie: string, seconds: string): readonly string[] {
  const fresh = seconds.startsWith('txn.')
    ? `{ var(txn.age) -m int ge 0 } { var(${seconds}) -m found } !{ var(txn.age),sub(${seconds}) -m int ge 0 }`
    : `{ var(txn.age) -m int ge 0 } { var(txn.age) -m int lt ${seconds} }`;
  return [
    `${verb} set-var(txn.cookie) req.cook(${argument(cookie)})`,
    `${verb} set-var(txn.cookie) str(0-0) unless { req.cook(${argument(cookie)}) -m found }`,
    `${verb} set-var(txn.issued) var(txn.cookie),field(1,-),add(0)`,
    `${verb} set-var(txn.age) date,sub(txn.issued)`,
    `${verb} set-var(txn.kept) var(txn.cookie),field(2,-) if !{ var(txn.kept) -m found } { var(txn.cookie) -m reg -- ^[0-9]{1,12}-[0-9a-f]{24}$ } ${fresh}`,
  ];
}

/** Sets the two cookies for a token on a target's answer. */
export function cookieLines(
  names: readonly [string, string] | readonly [string],
  token: string,
  when: string,
): readonly string[] {
  const life = '%[date,http_date(604800)]';
  const first = `http-response add-header Set-Cookie ${names[0]}=%[date]-${token};\\ Expires=${life};\\ Path=/ if ${when}`;
  if (names[1] === undefined) return [first];
  return [
    first,
    `http-response add-header Set-Cookie ${names[1]}=%[date]-${token};\\ Expires=${life};\\ Path=/;\\ SameSite=None;\\ Secure if ${when}`,
  ];
}
