import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { openEmbedded, openHaproxy, type TrafficEngine } from '@slipway/scheduler/balancing/engines';
import { anyTls, cookieKey, groupOf, listenerOf } from '@slipway/scheduler/balancing/engines/testing';
import { freePort } from '@slipway/storage/testing';
import { until } from '../../testbed/index.ts';

type State = Parameters<TrafficEngine['apply']>[0];
type Certificate = State['certificates'][number];

/** Something that passes requests on: where it listens, without and with TLS, and what it has cost so far. */
export interface Proxy {
  readonly name: string;
  readonly address: string;
  readonly plain: number;
  readonly secure: number;
  /** Seconds of processor time of all its processes. */
  cpu(): number;
  stop(): Promise<void>;
}

export interface EngineProxy extends Proxy {
  readonly kind: TrafficEngine['kind'];
  /** Applies the next generation; @returns milliseconds until it was live. */
  apply(given: Partial<State>): Promise<number>;
  readonly usual: Pick<State, 'listeners' | 'targetGroups' | 'certificates'>;
  /** Bytes that its processes have in memory. */
  memory(): number;
}

const haproxyProgram = '/usr/sbin/haproxy';
const nginxProgram = '/usr/sbin/nginx';
export const hasNginx = existsSync(nginxProgram);

export const openEngine = (kind: TrafficEngine['kind'], folder: string): Promise<TrafficEngine> =>
  kind === 'haproxy' ? openHaproxy({ folder, program: haproxyProgram, hardStopAfter: 30 }) : openEmbedded({ folder });

/** An engine whose processes name its folder, as a proxy. */
export const engineAt = (
  engine: TrafficEngine,
  folder: string,
  { plain, secure }: Pick<Proxy, 'plain' | 'secure'>,
): Proxy => ({
  name: engine.kind,
  address: '127.0.0.1',
  plain,
  secure,
  cpu: () => sum(processesWith(folder).map(cpuOf)),
  stop: () => engine.stop(),
});

/** One of our engines, in front of the back end. */
export async function engineProxy(
  kind: TrafficEngine['kind'],
  folder: string,
  backEnd: number,
  certificate: Certificate,
): Promise<EngineProxy> {
  const engine = await openEngine(kind, folder);
  const [plain, secure] = [await freePort(), await freePort()];
  const defaultAction = { kind: 'forward', targetGroups: [{ id: 'g', weight: 1 }] } as const;
  const usual = {
    certificates: [certificate],
    listeners: [
      listenerOf({ id: 'plain', port: plain, defaultAction }),
      listenerOf({
        id: 'secure',
        port: secure,
        defaultAction,
        protocol: 'HTTPS',
        tls: { certificates: [certificate.id], ...anyTls },
      }),
    ],
    targetGroups: [groupOf('g', [targetOf(backEnd, 0)])],
  };
  let generation = 0;
  const apply = async (given: Partial<State>): Promise<number> => {
    const begun = performance.now();
    const { listeners } = await engine.apply({ generation: ++generation, cookieKey, ...usual, ...given });
    for (const result of listeners.values()) if (!result.bound) throw new Error(result.reason);
    return performance.now() - begun;
  };
  await apply({});
  return {
    ...engineAt(engine, folder, { plain, secure }),
    kind,
    apply,
    usual,
    memory: () => sum(processesWith(folder).map(memoryOf)),
  };
}

export const targetOf = (port: number, number: number) =>
  ({ registrationId: `target/${number}`, address: '127.0.0.1', port, weight: 1, state: 'up' }) as const;

/** HAProxy as one writes it by hand for one service. */
export async function plainHaproxy(folder: string, backEnd: number, certificate: Certificate): Promise<Proxy> {
  const [plain, secure] = [await freePort(), await freePort()];
  writeFileSync(join(folder, 'cert.pem'), `${certificate.chain}\n${certificate.privateKey}`, { mode: 0o600 });
  const config = join(folder, 'haproxy.cfg');
  writeFileSync(
    config,
    `global
  tune.bufsize 65536
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
frontend web
  bind 127.0.0.1:${plain}
  bind 127.0.0.1:${secure} ssl crt ${join(folder, 'cert.pem')} alpn h2,http/1.1
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Port ${plain}
  http-request set-header X-Amzn-Trace-Id Root=1-%[date,hex,bytes(8,8)]-%[rand(1000000)]
  use_backend unsafe unless { method GET HEAD OPTIONS }
  default_backend safe
backend safe
  retries 3
  option redispatch 1
  retry-on conn-failure empty-response
  server one 127.0.0.1:${backEnd}
backend unsafe
  http-reuse never
  option http-server-close
  server one 127.0.0.1:${backEnd}
`,
  );
  return started('plain HAProxy', alone(haproxyProgram, ['-W', '-f', config]), plain, secure);
}

/** nginx as one writes it by hand for one service. */
export async function plainNginx(folder: string, backEnd: number, certificate: Certificate): Promise<Proxy> {
  const [plain, secure] = [await freePort(), await freePort()];
  writeFileSync(join(folder, 'cert.pem'), certificate.chain);
  writeFileSync(join(folder, 'key.pem'), certificate.privateKey, { mode: 0o600 });
  const config = join(folder, 'nginx.conf');
  writeFileSync(
    config,
    `daemon off; worker_processes auto; pid ${folder}/pid; error_log ${folder}/error.log; user root;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000000; tcp_nodelay on; client_body_temp_path ${folder}; proxy_temp_path ${folder};
fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
upstream back { server 127.0.0.1:${backEnd}; keepalive 64; keepalive_requests 1000000000; }
map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
server { listen 127.0.0.1:${plain}; listen 127.0.0.1:${secure} ssl; ssl_certificate ${folder}/cert.pem; ssl_certificate_key ${folder}/key.pem;
location / { proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k; } } }
`,
  );
  return started('nginx', alone(nginxProgram, ['-p', folder, '-c', config]), plain, secure);
}

/** A session of its own, as engines have: the kernel shares processors out among sessions, and wakes others of the same one sooner. */
const alone = (program: string, args: readonly string[]): ChildProcess =>
  spawn(program, args, { stdio: 'ignore', detached: true });

async function started(name: string, child: ChildProcess, plain: number, secure: number): Promise<Proxy> {
  await until(`${name} to listen`, 30_000, () => canConnect(plain), 50);
  return {
    name,
    address: '127.0.0.1',
    plain,
    secure,
    cpu: () => sum([child.pid!, ...childrenOf(child.pid!)].map(cpuOf)),
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    },
  };
}

const canConnect = async (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.on('connect', () => (socket.destroy(), resolve(true)));
    socket.on('error', () => resolve(false));
  });

const sum = (all: readonly number[]): number => all.reduce((total, one) => total + one, 0);

/** Processes whose command names a folder. */
function processesWith(folder: string): number[] {
  return list('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => read(`/proc/${pid}/cmdline`).includes(folder));
}

const childrenOf = (pid: number): number[] =>
  read(`/proc/${pid}/task/${pid}/children`)
    .trim()
    .split(' ')
    .filter((text) => text !== '')
    .map(Number);

/** Seconds that all threads of a process were on a processor. */
function cpuOf(pid: number): number {
  const threads = list(`/proc/${pid}/task`);
  return sum(threads.map((thread) => Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0] ?? 0))) / 1e9;
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

const memoryOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
