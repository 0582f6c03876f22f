import type { Backend, Server } from './backend.ts';
import type { Configuration } from './configure.ts';
import type { MapName } from './frontend.ts';

/** A server as a worker has it. */
export interface LiveServer {
  readonly name: string;
  readonly address: string;
  readonly weight: number;
  readonly ready: boolean;
}

/** What a worker routes by, as far as it can be changed while it runs. */
export interface Live {
  readonly servers: ReadonlyMap<string, readonly LiveServer[]>;
  readonly maps: ReadonlyMap<MapName, ReadonlyMap<string, string>>;
}

/** The steps from what is live to what is wanted. Servers leave rotation when nothing leads to them alone any more, and are removed last. */
export interface Steps {
  /** Takes servers out of rotation, adds new ones, brings weights and maps up to date. Each must answer without an objection. */
  readonly change: readonly string[];
  /** Servers to remove once they carry nothing, as `backend/server`. */
  readonly remove: readonly string[];
}

/** Works out the steps; pure. */
export function stepsTo(wanted: Configuration, live: Live): Steps {
  const out: string[] = [];
  const add: string[] = [];
  const remove: string[] = [];
  for (const backend of wanted.backends) {
    const known = new Map((live.servers.get(backend.name) ?? []).map((server) => [server.name, server]));
    for (const server of backend.servers) {
      const old = known.get(server.name);
      known.delete(server.name);
      const path = `${backend.name}/${server.name}`;
      if (old === undefined) {
        add.push(addition(backend, server));
        if (server.ready) add.push(`set server ${path} state ready`);
        continue;
      }
      if (old.ready !== server.ready)
        (server.ready ? add : out).push(`set server ${path} state ${server.ready ? 'ready' : 'maint'}`);
      if (old.weight !== server.weight) add.push(`set server ${path} weight ${server.weight}`);
    }
    for (const gone of known.values()) {
      out.push(`set server ${backend.name}/${gone.name} state maint`);
      remove.push(`${backend.name}/${gone.name}`);
    }
  }
  // Traffic may go from one backend to another while the servers of the first leave: each request must find somebody.
  return { change: [...add, ...mapSteps(wanted, live), ...out], remove };
}

function addition(backend: Backend, { name, address, weight, options }: Server): string {
  return `add server ${backend.name}/${name} ${address} weight ${weight}${options === '' ? '' : ` ${options}`}`;
}

/** The maps in which requests are looked up one after the other, the last first: what is found in one is in those that come after it. */
const order: readonly MapName[] = ['backends', 'unsafeBackends', 'groupTokens', 'sticky', 'thresholds', 'tokens'];

/**
 * Steps that bring maps up to date, each of which leaves them such that every request finds a backend that has a share before or after them.
 * Thresholds that rise go up in the order of shares, then those that fall go down from the last: a share that is empty before and
 * after is never anything else.
 */
function mapSteps(wanted: Configuration, live: Live): readonly string[] {
  const names = order.filter((name) => wanted.maps.has(name));
  const of = (name: MapName) => {
    const next = [...(wanted.maps.get(name) ?? [])];
    return { path: wanted.mapPath(name), next, old: live.maps.get(name) ?? new Map<string, string>() };
  };
  const added = names.flatMap((name) => {
    const { path, next, old } = of(name);
    // Of thresholds the last first: what is missing is above all draws.
    return next.toReversed().flatMap(([key, value]) => (old.has(key) ? [] : [`add map ${path} ${key} ${value}`]));
  });
  const changed = names.flatMap((name) => {
    const { path, next, old } = of(name);
    const other = next.filter(([key, value]) => old.has(key) && old.get(key) !== value);
    const falls = ([key, value]: readonly [string, string]): boolean => Number(value) < Number(old.get(key));
    const inOrder =
      name === 'thresholds' ? [...other.filter((one) => !falls(one)), ...other.filter(falls).toReversed()] : other;
    return inOrder.map(([key, value]) => `set map ${path} ${key} ${value}`);
  });
  const removed = names.toReversed().flatMap((name) => {
    const { path, next, old } = of(name);
    const kept = new Set(next.map(([key]) => key));
    return [...old.keys()].filter((key) => !kept.has(key)).map((key) => `del map ${path} ${key}`);
  });
  return [...added, ...changed, ...removed];
}

/** `SRV_ADMF_CMAINT`: stays when a server that the configuration disabled becomes ready (management guide, "show servers state"). */
const wasDisabled = 0x04;

/** Reads the answer to `show servers state`. */
export function parseServers(text: string): Live['servers'] {
  const servers = new Map<string, LiveServer[]>();
  for (const line of text.split('\n').slice(2)) {
    const fields = line.split(' ');
    if (fields.length < 19) continue;
    const [, backend = '', , name = '', host = ''] = fields;
    // Any bit of the administrative state takes it out of rotation, but for the one that says that it was out when this worker began.
    const server = {
      name,
      address: `${host.includes(':') ? `[${host}]` : host}:${fields[18]}`,
      weight: Number(fields[7]),
      ready: (Number(fields[6]) & ~wasDisabled) === 0,
    };
    servers.set(backend, [...(servers.get(backend) ?? []), server]);
  }
  return servers;
}

/** Reads the answer to `show map`: an address, the key, the value. */
export function parseMap(text: string): ReadonlyMap<string, string> {
  return new Map(
    text
      .split('\n')
      .map((line) => line.split(' '))
      .flatMap(([, key, value]) => (key === undefined || value === undefined ? [] : [[key, value] as const])),
  );
}
