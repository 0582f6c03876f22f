import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findGoProgram, freePort } from '@slipway/storage/testing';
import { placeholder } from '../x509.ts';
import { NamesServer } from './names-server.ts';

/** The module that `go install` builds: the test authority of Let's Encrypt's makers. */
const module = 'github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1';

const program = findGoProgram('pebble', module);

/** What is missing for tests with a real authority; undefined when it is there. */
export const pebbleMissing = program ? undefined : `pebble is not on this machine: go install ${module}`;

export interface PebbleSettings {
  /** Seconds that certificates live, by profile. */
  readonly profiles?: Readonly<Record<string, number>>;
  /** External accounts, key by id; with any, every account must be bound to one. */
  readonly externalAccounts?: Readonly<Record<string, string>>;
  /** Percentage of good nonces that are refused. Default 20. */
  readonly refusedNonces?: number;
}

/** A real ACME authority in a process of its own. What it knows ends with it. */
export class Pebble {
  /** Where it asks for HTTP-01. */
  readonly httpPort: number;
  /** Where it asks for TLS-ALPN-01. */
  readonly tlsPort: number;
  readonly names: NamesServer;
  /** PEM file of the authority of its own TLS. */
  readonly caFile: string;
  readonly #folder: string;
  readonly #ports: readonly [number, number];
  readonly #nonces: number;
  #child: ChildProcess | undefined;

  private constructor(folder: string, ports: readonly number[], names: NamesServer, nonces: number) {
    const [http = 0, tls = 0, acme = 0, management = 0] = ports;
    this.httpPort = http;
    this.tlsPort = tls;
    this.names = names;
    this.caFile = join(folder, 'pebble.crt');
    this.#folder = folder;
    this.#ports = [acme, management];
    this.#nonces = nonces;
  }

  /** @throws Error when it is not on this machine */
  static async start(settings: PebbleSettings = {}): Promise<Pebble> {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-pebble-'));
    const ports = await Promise.all(Array.from({ length: 4 }, freePort));
    const pebble = new Pebble(folder, ports, await NamesServer.start(), settings.refusedNonces ?? 20);
    const { cert, key } = await placeholder(['127.0.0.1'], Date.now());
    await writeFile(pebble.caFile, cert);
    await writeFile(join(folder, 'pebble.key'), key);
    const profiles = Object.entries({ default: 7_776_000, ...settings.profiles }).map(([name, validityPeriod]) => [
      name,
      { description: name, validityPeriod },
    ]);
    const [acme, management] = pebble.#ports;
    const config = {
      listenAddress: `127.0.0.1:${acme}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: pebble.caFile,
      privateKey: join(folder, 'pebble.key'),
      httpPort: pebble.httpPort,
      tlsPort: pebble.tlsPort,
      keyAlgorithm: 'ecdsa',
      retryAfter: { authz: 1, order: 1 },
      externalAccountBindingRequired: settings.externalAccounts !== undefined,
      externalAccountMACKeys: settings.externalAccounts ?? {},
      domainBlocklist: ['blocked.example'],
      profiles: Object.fromEntries(profiles) as object,
    };
    await writeFile(join(folder, 'config.json'), JSON.stringify({ pebble: config }));
    await pebble.resume().catch(async (error: unknown) => {
      await pebble.dispose();
      throw error;
    });
    return pebble;
  }

  get directory(): string {
    return `https://127.0.0.1:${this.#ports[0]}/dir`;
  }

  /** Starts it, with nothing of what it knew before. */
  async resume(): Promise<void> {
    if (program === undefined) throw new Error(pebbleMissing);
    this.#child = spawn(
      program,
      ['-strict', '-config', join(this.#folder, 'config.json'), '-dnsserver', this.names.address],
      {
        stdio: 'ignore',
        env: {
          PATH: process.env['PATH'],
          PEBBLE_VA_NOSLEEP: '1',
          PEBBLE_WFE_NONCEREJECT: String(this.#nonces),
          PEBBLE_AUTHZREUSE: '0',
        },
      },
    );
    for (let tries = 0; ; tries++) {
      try {
        await this.#ask('GET', this.#ports[0], '/dir');
        return;
      } catch (cause) {
        if (tries > 200 || this.#child.exitCode !== null) throw new Error('pebble did not start', { cause });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  /** PEM of the root that its certificates come from. */
  root(): Promise<string> {
    return this.#ask('GET', this.#ports[1], '/roots/0');
  }

  /** What it suggests for a certificate from now on (RFC 9773). */
  async suggest(chain: string, window: { readonly start: Date; readonly end: Date }): Promise<void> {
    const ariResponse = JSON.stringify({ suggestedWindow: window });
    await this.#ask('POST', this.#ports[1], '/set-renewal-info/', JSON.stringify({ certificate: chain, ariResponse }));
  }

  async #ask(method: string, port: number, path: string, body?: string): Promise<string> {
    const ca = await readFile(this.caFile);
    return new Promise((resolve, reject) => {
      const sent = request(
        { host: '127.0.0.1', port, path, method, ca, agent: false, headers: { 'user-agent': 'tests' } },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          response.on('end', () =>
            response.statusCode === 200 ? resolve(text) : reject(new Error(`${path}: ${response.statusCode} ${text}`)),
          );
        },
      );
      sent.on('error', reject).end(body);
    });
  }

  async dispose(): Promise<void> {
    await this.stop();
    await this.names.dispose();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
