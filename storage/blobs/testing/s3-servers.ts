import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'minio';
import { freePort } from '../../testing/free-port.ts';
import { findGoProgram } from '../../testing/index.ts';
import type { S3Connection } from '../s3-client.ts';

const accessKeyId = 'slipway-test';
const secretAccessKey = 'slipway-test-secret';

interface Implementation {
  readonly name: string;
  /** The module that `go install` builds; these versions build with Go 1.26. */
  readonly module: string;
  readonly command: (port: number, folder: string) => readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Two different servers, so that the driver fits the protocol and not one of them. */
export const implementations = {
  minio: {
    name: 'minio',
    module: 'github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c',
    command: (port, folder) => ['server', '--quiet', '--address', `127.0.0.1:${port}`, folder],
    environment: { MINIO_ROOT_USER: accessKeyId, MINIO_ROOT_PASSWORD: secretAccessKey, MINIO_BROWSER: 'off' },
  },
  versitygw: {
    name: 'versitygw',
    module: 'github.com/versity/versitygw/cmd/versitygw@v1.8.0',
    command: (port, folder) => [
      '--port',
      `127.0.0.1:${port}`,
      '--access',
      accessKeyId,
      '--secret',
      secretAccessKey,
      '--quiet',
      'posix',
      folder,
    ],
    environment: {},
  },
} satisfies Record<string, Implementation>;

/** The server's program: from the path, from Go's folders, or, in CI, built now (minutes). Undefined when there is none. */
export function findS3Server({ name, module }: Implementation): string | undefined {
  return findGoProgram(name, module);
}

/** What is missing for tests on a real S3 server; undefined when it is there. */
export function s3Missing(program: string | undefined, implementation: Implementation): string | undefined {
  return program ? undefined : `${implementation.name} is not on this machine: go install ${implementation.module}`;
}

/** A real S3 server in a folder of its own, with an empty bucket. */
export class S3Server {
  readonly connection: S3Connection;
  /** Where it keeps what it has. */
  readonly folder: string;
  readonly #child: ChildProcess;

  private constructor(connection: S3Connection, folder: string, child: ChildProcess) {
    this.connection = connection;
    this.folder = folder;
    this.#child = child;
  }

  /** @throws Error when there is no such program, or it does not start */
  static async start(program: string | undefined, implementation: Implementation): Promise<S3Server> {
    if (!program) throw new Error(s3Missing(program, implementation));
    const folder = await mkdtemp(join(tmpdir(), `slipway-${implementation.name}-`));
    const data = join(folder, 'data');
    await mkdir(data);
    const port = await freePort();
    const child = spawn(program, implementation.command(port, data), {
      stdio: 'ignore',
      cwd: folder,
      env: { ...process.env, HOME: folder, ...implementation.environment },
    });
    const connection = { endpoint: `http://127.0.0.1:${port}`, bucket: 'slipway', accessKeyId, secretAccessKey };
    const client = new Client({
      endPoint: '127.0.0.1',
      port,
      useSSL: false,
      accessKey: accessKeyId,
      secretKey: secretAccessKey,
      region: 'us-east-1',
      // Its own retries write to the console.
      retryOptions: { disableRetry: true },
    });
    for (let tries = 0; ; tries++) {
      try {
        await client.makeBucket('slipway', 'us-east-1');
        break;
      } catch (error) {
        if (tries > 200 || child.exitCode !== null)
          throw new Error(`${implementation.name} did not start`, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    return new S3Server(connection, folder, child);
  }

  async dispose(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}
