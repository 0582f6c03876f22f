import {
  draws,
  type Forward,
  groupCookies,
  isHttp,
  type HttpListener,
  type Listener,
  type StreamListener,
  type TargetGroup,
} from '../../../routing/index.ts';
import { backendName, unsafeBackendName } from './backend.ts';
import { cookieLines, keptLines } from './cookies.ts';
import type { LuaParts } from './lua.ts';
import { beginning, hygiene, incoming, isPlain, outgoing } from './requests.ts';
import { blocksFor, ruleLines, ruleName } from './rules.ts';
import { nameOf } from './words.ts';

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

/** How a listener is bound; undefined options are left out. */
function bindLine(listener: Listener, files: Files): string {
  const address = listener.address.includes(':') ? `[${listener.address}]` : listener.address;
  const only = listener.address.includes(':') ? ' v6only' : '';
  const tls = listener.tls;
  // Otherwise it would take the preface of HTTP/2 for an agreement to speak it, where nobody has offered that.
  const proto = isHttp(listener) && (tls === undefined || !listener.attributes.http2) ? ' proto h1' : '';
  if (tls === undefined) return `bind ${address}:${listener.port}${only}${proto}`;
  const offered = isHttp(listener) ? [...(listener.attributes.http2 ? ['h2'] : []), 'http/1.1'] : (tls.alpn ?? []);
  const options = [
    `ssl crt-list ${files.certificates(listener)}`,
    `ssl-min-ver ${tls.versions[0]} ssl-max-ver ${tls.versions.at(-1)}`,
    ...(tls.ciphers.length === 0 ? [] : [`ciphers ${tls.ciphers.join(':')}`]),
    ...(offered.length === 0 ? [] : [`alpn ${offered.join(',')}`]),
  ];
  return `bind ${address}:${listener.port}${only}${proto} ${options.join(' ')}`;
}

function admission(listener: Listener, files: Files): readonly string[] {
  const blocks = blocksFor(listener, listener.admitted);
  if (blocks.some((block) => block.endsWith('/0'))) return [];
  if (blocks.length === 0) return ['tcp-request connection reject'];
  return [`tcp-request connection reject unless { src -f ${files.put('patterns', `${blocks.join('\n')}\n`)} }`];
}

/** A listener as a frontend: who may connect, what is refused, which rule acts, where a forward goes. */
export function frontend(
  listener: Listener,
  groups: ReadonlyMap<string, TargetGroup>,
  files: Files,
  lua: LuaParts,
): readonly string[] {
  const body = isHttp(listener) ? httpBody(listener, groups, files, lua) : streamBody(listener, files);
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

function httpBody(
  listener: HttpListener,
  groups: ReadonlyMap<string, TargetGroup>,
  files: Files,
  lua: LuaParts,
): readonly string[] {
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
  // Where everything goes to one group its name stands in the configuration: looking it up is a tenth of what a request costs.
  const only =
    rules.length === 0 && shares.length === 0 ? groups.get(forwards[0]?.targetGroups[0]?.id ?? '') : undefined;
  const rulesOf = only === undefined ? ruleLines(listener, files, lua) : [];
  const { looks, careful } = hygiene(listener);
  const headers = outgoing(listener);
  return [
    'mode http',
    `timeout client ${attributes.idleTimeout}s`,
    `timeout http-keep-alive ${Math.min(attributes.idleTimeout, 60)}s`,
    `timeout http-request ${Math.min(attributes.idleTimeout, 60)}s`,
    'option idle-close-on-response',
    ...admission(listener, files),
    ...beginning,
    ...looks,
    // Where no rule has a say, those that are plain go first, and meet none of what is for others.
    ...(only === undefined ? [] : [...headers.plain, 'http-request unset-var(txn.sent)']),
    ...careful,
    ...(rulesOf.some((line) => line.includes('txn.host'))
      ? [
          `http-request set-var(txn.host) req.fhdr(host)${attributes.preserveHostHeader ? ',host_only' : ''} if ${isPlain}`,
        ]
      : []),
    ...rulesOf,
    ...shares,
    ...(only === undefined ? headers.plain : []),
    ...headers.careful,
    ...incoming(listener),
    ...(only === undefined
      ? [`${backendLine('unsafeBackends', files, shares)} unless ${isSafe}`, backendLine('backends', files, shares)]
      : [`use_backend ${unsafeBackendName(only)} unless ${isSafe}`, `use_backend ${backendName(only.id)}`]),
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
