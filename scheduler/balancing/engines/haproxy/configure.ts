import { createHash } from 'node:crypto';
import {
  certificatesByName,
  cookieToken,
  type DesiredState,
  type Forward,
  isHttp,
  type Listener,
  thresholds,
} from '../../../routing/index.ts';
import { type Backend, type BackendOptions, backendName, backends, unsafeBackendName } from './backend.ts';
import { type Files, frontend, type MapName, nowhere, nowhereForStreams } from './frontend.ts';
import { luaParts } from './lua.ts';
import { ruleName } from './rules.ts';
import { latencyStore, latencyTable } from './statistics.ts';
import { nameOf } from './words.ts';

/** A name that no client has (RFC 6761, section 6.4). */
const nobody = 'nobody.invalid';

/** How the process is to run; none of it comes from a desired state. */
export interface ProcessOptions {
  /** The folder that generated files are read from, absolute, of harmless characters. */
  readonly folder: string;
  /** Whom a worker becomes after it has bound; undefined where the process may not change that. */
  readonly user?: { readonly name: string; readonly group: string } | undefined;
  /** Seconds after which a worker that is leaving is ended with whatever it still carries. */
  readonly hardStopAfter: number;
}

/** Everything that makes HAProxy carry out a state. */
export interface Configuration {
  /** The main file, with servers and without. The second is the same as long as run-time commands can lead from one state to another. */
  readonly text: string;
  readonly structure: string;
  /** Other files by their path below the folder; none holds a secret but those below `certificates/`. */
  readonly files: ReadonlyMap<string, string>;
  /** The maps that the text names. */
  readonly maps: ReadonlyMap<MapName, ReadonlyMap<string, string>>;
  /** Path of a map's file, which is its name at run time. */
  readonly mapPath: (name: MapName) => string;
  readonly backends: readonly Backend[];
}

/**
 * Writes the configuration for a state: pure, and the only place that turns names of users into HAProxy's language. Listeners that could
 * not be bound are left out by the caller.
 */
export function configure(state: DesiredState, options: ProcessOptions): Configuration {
  const files = new Map<string, string>();
  const put = (path: string, content: string): string => {
    files.set(path, content);
    return `${options.folder}/${path}`;
  };
  const mapPath = (name: MapName): string => `${options.folder}/maps/${name}`;
  const used = new Set<MapName>();
  const certificates = new Map(state.certificates.map((certificate) => [certificate.id, certificate]));
  const places: Files = {
    put: (folder, content) =>
      put(`${folder}/${createHash('sha256').update(content).digest('hex').slice(0, 32)}`, content),
    map: (name) => {
      used.add(name);
      return mapPath(name);
    },
    certificates: (listener) => {
      const own = (listener.tls?.certificates ?? []).map((id) => certificates.get(id)!);
      const table = [...certificatesByName(own)];
      const lines = own.map((certificate) => {
        const { id, chain, privateKey } = certificate;
        const path = put(`certificates/${nameOf('c', id)}.pem`, `${chain.trim()}\n${privateKey.trim()}\n`);
        const names = table.flatMap(([name, chosen]) => (chosen.includes(certificate) ? [name] : []));
        // Without a name the certificate would be taken for all of its own; the first line is what unknown names get.
        return `${path} ${names.length === 0 ? nobody : names.join(' ')}`;
      });
      return put(`certificates/${nameOf('l', listener.id)}.list`, `${lines.join('\n')}\n`);
    },
  };
  const lua = luaParts();
  const groups = new Map(state.targetGroups.map((group) => [group.id, group]));
  const frontends = state.listeners.map((listener) => frontend(listener, groups, places, lua));
  const clients = clientsOf(state);
  const all = state.targetGroups.flatMap((group) =>
    backends(group, { cookieKey: state.cookieKey, idleTimeout: 60, http2: false, ...clients.get(group.id) }),
  );
  const luaPath = put('slipway.lua', lua.text());
  const head = section('global', [
    `lua-load ${luaPath}`,
    // Its own client in Lua is not used: a third of a start would go into reading authorities for it.
    'httpclient.ssl.verify none',
    'noreuseport',
    'tune.bufsize 65536',
    'tune.http.maxhdr 256',
    'tune.lua.maxmem 256',
    'fd-hard-limit 65536',
    'ssl-default-bind-options no-tls-tickets',
    `hard-stop-after ${options.hardStopAfter}s`,
    ...(options.user === undefined
      ? []
      : [`user ${options.user.name}`, `group ${options.user.group}`, `chroot ${options.folder}/empty`]),
  ]);
  const defaults = section('defaults', [
    'timeout connect 10s',
    'timeout client 60s',
    'timeout server 60s',
    'timeout http-request 60s',
  ]);
  const none = section(`backend ${nowhere}`, ['mode http', 'http-request return status 503']);
  const noStream = section(`backend ${nowhereForStreams}`, ['mode tcp', 'tcp-request content reject']);
  const latencies = section(`backend ${latencyTable}`, [latencyStore]);
  const bodies = frontends.map(([first = '', ...lines]) => section(first, lines));
  const write = (withServers: boolean): string =>
    [
      head,
      defaults,
      none,
      noStream,
      latencies,
      ...bodies,
      ...all.map(({ name, lines, servers }) =>
        section(`backend ${name}`, [
          ...lines.flatMap((line) => line.split('\n')),
          ...(withServers ? servers.map(serverLine) : []),
        ]),
      ),
    ].join('\n');
  return {
    text: write(true),
    structure: write(false),
    files,
    maps: new Map([...mapsOf(state)].filter(([name]) => used.has(name))),
    mapPath,
    backends: all,
  };
}

function section(name: string, lines: readonly string[]): string {
  return `${name}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function serverLine({ name, address, options, weight, ready }: Backend['servers'][number]): string {
  return `server ${name} ${address} weight ${weight}${options === '' ? '' : ` ${options}`}${ready ? '' : ' disabled'}`;
}

function forwardsOf(listener: Listener): readonly { readonly rule: string; readonly action: Forward }[] {
  const actions = isHttp(listener) ? listener.rules.map(({ action }) => action) : [];
  return [...actions, listener.defaultAction].flatMap((action, place) =>
    action.kind === 'forward' ? [{ rule: ruleName(listener, place), action }] : [],
  );
}

/** What groups must know of the listeners that lead there. */
function clientsOf(state: DesiredState): ReadonlyMap<string, Pick<BackendOptions, 'idleTimeout' | 'http2'>> {
  const clients = new Map<string, Pick<BackendOptions, 'idleTimeout' | 'http2'>>();
  for (const listener of state.listeners) {
    const idleTimeout = isHttp(listener) ? listener.attributes.idleTimeout : listener.idleTimeout;
    const isHttp2 = isHttp(listener) && listener.tls !== undefined && listener.attributes.http2;
    for (const { action } of forwardsOf(listener))
      for (const { id } of action.targetGroups)
        clients.set(id, { idleTimeout, http2: isHttp2 || clients.get(id)?.http2 === true });
  }
  return clients;
}

/** What forwards say, as maps: a rule's shares, their backends, how long it is sticky, and the tokens of its groups. */
function mapsOf(state: DesiredState): ReadonlyMap<MapName, ReadonlyMap<string, string>> {
  const maps: Record<MapName, Map<string, string>> = {
    thresholds: new Map(),
    backends: new Map(),
    unsafeBackends: new Map(),
    sticky: new Map(),
    tokens: new Map(),
    groupTokens: new Map(),
  };
  const groups = new Map(state.targetGroups.map((group) => [group.id, group]));
  for (const listener of state.listeners) {
    for (const { rule, action } of forwardsOf(listener)) {
      if (action.stickySeconds !== undefined) maps.sticky.set(rule, String(action.stickySeconds));
      for (const [i, { id, below, isEmpty }] of thresholds(action).entries()) {
        const slot = String(i + 1);
        maps.thresholds.set(`${rule}.${slot}`, String(below));
        maps.backends.set(`${rule}.${slot}`, backendName(id));
        maps.unsafeBackends.set(`${rule}.${slot}`, unsafeBackendName(groups.get(id)!));
        if (action.stickySeconds === undefined) continue;
        const token = cookieToken(state.cookieKey, 'group', id);
        if (!isEmpty) maps.tokens.set(`${rule}.${token}`, slot);
        maps.groupTokens.set(`${rule}.${slot}`, token);
      }
    }
  }
  return new Map(Object.entries(maps) as [MapName, Map<string, string>][]);
}
