import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The small files in the data folder that people and commands read: credentials, and where the server answers. */

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** What a running server leaves in `server.json`, for `slipway env` and `doctor`. */
export interface ServerState {
  readonly pid: number;
  readonly endpoint: string;
  readonly region: string;
  readonly account: string;
  /** Where the administrator's key lies. */
  readonly credentialsFile: string;
}

const stateFile = (data: string): string => join(data, 'server.json');

/** Writes the administrator's key in the AWS shared-credentials format, readable by the owner only; it is on the disk afterwards. */
export function writeCredentials(file: string, credentials: Credentials): void {
  const text = `[default]\naws_access_key_id = ${credentials.accessKeyId}\naws_secret_access_key = ${credentials.secretAccessKey}\n`;
  writeAtomically(file, text, 0o600);
}

/** Reads the `[default]` profile; undefined when the file is absent or holds no key. */
export function readCredentials(file: string): Credentials | undefined {
  const text = readIfThere(file);
  const member = (name: string): string | undefined =>
    new RegExp(`^\\s*${name}\\s*=\\s*(\\S+)\\s*$`, 'm').exec(text ?? '')?.[1];
  const accessKeyId = member('aws_access_key_id');
  const secretAccessKey = member('aws_secret_access_key');
  return accessKeyId !== undefined && secretAccessKey !== undefined ? { accessKeyId, secretAccessKey } : undefined;
}

export function writeServerState(data: string, state: ServerState): void {
  writeAtomically(stateFile(data), `${JSON.stringify(state)}\n`, 0o644);
}

export function readServerState(data: string): ServerState | undefined {
  const text = readIfThere(stateFile(data));
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as ServerState;
  } catch {
    return undefined;
  }
}

export function removeServerState(data: string): void {
  rmSync(stateFile(data), { force: true });
}

function writeAtomically(path: string, text: string, mode: number): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Servers that share the folder may write at the same time.
  const temporary = `${path}.${process.pid}.new`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, text, { mode, flag: 'wx', flush: true });
  renameSync(temporary, path);
  const opened = openSync(folder, 'r');
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
