import { randomBytes } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import { Registry } from '@prometheus-io/client';
import { type Clock, systemClock } from '@slipway/storage/clock';
import { openLeases } from '@slipway/storage/leases';
import type { RecordStore } from '@slipway/storage/records';
import { openListener } from '../../gateway/listener.ts';
import { defaultLimits } from '../../gateway/index.ts';
import { createSeal } from '../../identity/seal.ts';
import { type AcmeCertificates, openAcme } from '../certificates.ts';
import type { AcmeSettings } from '../settings.ts';
import type { Pebble } from './pebble.ts';

/** Servers of one installation share it. */
export const sealKey = randomBytes(32);

/** The machine's clock, with shorter waits: for the authority, after a failure to reach it, for other processes. */
const hasty: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 5, signal) };

export const settingsFor = (pebble: Pebble, change: Partial<AcmeSettings> = {}): AcmeSettings => ({
  directory: pebble.directory,
  names: ['registry.example.com'],
  email: 'operator@example.com',
  externalAccount: undefined,
  authoritiesFile: pebble.caFile,
  challenge: 'http-01',
  httpPort: pebble.httpPort,
  profile: undefined,
  ...change,
});

export interface AcmeServer extends AsyncDisposable {
  readonly certificates: AcmeCertificates;
  readonly port: number;
  readonly logged: readonly { readonly fields: Record<string, unknown>; readonly message: string }[];
  /** A handshake; the socket stays open until the server ends. */
  connect(servername?: string, protocols?: string[]): Promise<TLSSocket>;
  /** The metric's value. */
  metric(name: string): Promise<string | undefined>;
}

export interface ServerOptions {
  readonly records: RecordStore;
  readonly settings: AcmeSettings;
  /** False for a worker process. Default true. */
  readonly renews?: boolean;
  readonly port?: number;
  /** Answers to challenges of other certificates. */
  readonly beside?: (token: string) => Promise<string | undefined>;
}

/** One process of an installation that serves TLS. */
export async function startServer({
  records,
  settings,
  renews = true,
  port = 0,
  beside = () => Promise.resolve(undefined),
}: ServerOptions): Promise<AcmeServer> {
  const logged: AcmeServer['logged'][number][] = [];
  const keep = (fields: object, message: string): void => void logged.push({ fields: { ...fields }, message });
  const metrics = new Registry();
  const certificates = await openAcme({
    settings,
    records,
    leases: openLeases(records, systemClock, Math.random),
    sealer: createSeal(sealKey, randomBytes),
    clock: hasty,
    random: Math.random,
    log: { info: keep, warn: keep, error: keep },
    metrics,
  });
  const listener = await openListener(
    (_request, response) => response.end('served'),
    { host: '127.0.0.1', port, tls: certificates },
    defaultLimits,
    () => false,
    (err) => logged.push({ message: err.message, fields: { err } }),
    new Set(),
  );
  const endpoint = `${settings.names[0]}:${listener.listening.port}`;
  if (renews) await certificates.renew({ host: '127.0.0.1', endpoints: [endpoint] }, beside);
  const sockets = new Set<TLSSocket>();
  return {
    certificates,
    port: listener.listening.port,
    logged,
    connect: (servername = settings.names[0] ?? '', ALPNProtocols = ['http/1.1']) =>
      new Promise((resolve, reject) => {
        const to = { host: '127.0.0.1', port: listener.listening.port, servername, ALPNProtocols };
        const socket = connect({ ...to, rejectUnauthorized: false }, () => resolve(socket));
        sockets.add(socket.on('error', reject));
      }),
    async metric(name) {
      const line = (await metrics.metrics()).split('\n').find((each) => each.startsWith(`${name} `));
      return line?.split(' ')[1];
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await listener.close(1000);
      await certificates.close();
    },
  };
}
