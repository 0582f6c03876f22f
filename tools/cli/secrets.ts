import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CliError } from './errors.ts';
import { callJson } from './json-api.ts';
import { note, parseOutput, print, printJson, table } from './output.ts';
import { ApiError } from './query-api.ts';

interface Options {
  readonly output: string;
}

interface Listed {
  readonly SecretList: readonly {
    readonly Name: string;
    readonly ARN: string;
    readonly LastChangedDate?: number;
    readonly Description?: string;
  }[];
  readonly NextToken?: string;
}

/**
 * `slipway secrets set <name>`: makes a secret, or gives it another value, which comes from a file, from standard input or from a
 * prompt: what stands on a command line, other users of the machine see, and the shell keeps.
 */
export async function setSecret(name: string, options: Options & { readonly file?: string }): Promise<void> {
  const output = parseOutput(options.output);
  const SecretString = await readValue(name, options.file);
  const done = await put(name, SecretString);
  if (output === 'json') printJson(done);
  else print(done.ARN);
}

/** `slipway secrets get <name>`: the value and nothing else. */
export async function getSecret(name: string, options: Options): Promise<void> {
  const output = parseOutput(options.output);
  const found = await callJson<{ SecretString?: string; SecretBinary?: string }>('secretsmanager', 'GetSecretValue', {
    SecretId: name,
  });
  if (output === 'json') printJson(found);
  else if (found.SecretString === undefined) process.stdout.write(Buffer.from(found.SecretBinary ?? '', 'base64'));
  else process.stdout.write(process.stdout.isTTY ? `${found.SecretString}\n` : found.SecretString);
}

/** `slipway secrets list`: names, without values. */
export async function listSecrets(options: Options): Promise<void> {
  const output = parseOutput(options.output);
  const secrets: Listed['SecretList'][number][] = [];
  for (let NextToken: string | undefined; ;) {
    const page = await callJson<Listed>('secretsmanager', 'ListSecrets', {
      SortBy: 'name',
      SortOrder: 'asc',
      ...(NextToken === undefined ? {} : { NextToken }),
    });
    secrets.push(...page.SecretList);
    NextToken = page.NextToken;
    if (NextToken === undefined) break;
  }
  if (output === 'json') {
    printJson({ secrets });
    return;
  }
  const changed = (seconds: number | undefined): string =>
    seconds === undefined ? '' : new Date(seconds * 1000).toISOString().slice(0, 19);
  print(
    secrets.length === 0
      ? 'no secrets'
      : table(
          ['NAME', 'CHANGED', 'ARN'],
          secrets.map((secret) => [secret.Name, changed(secret.LastChangedDate), secret.ARN]),
        ),
  );
}

/** `slipway secrets rm <name>`: deletes it in 30 days, or at once. */
export async function removeSecret(name: string, options: Options & { readonly now?: boolean }): Promise<void> {
  const output = parseOutput(options.output);
  const now = options.now === true;
  const gone = await callJson<{ ARN: string; DeletionDate: number }>('secretsmanager', 'DeleteSecret', {
    SecretId: name,
    ...(now ? { ForceDeleteWithoutRecovery: true } : {}),
  });
  if (output === 'json') printJson(gone);
  else if (now) print(`deleted ${name}`);
  else
    print(
      `${name} cannot be read any more; it is deleted on ${new Date(gone.DeletionDate * 1000).toISOString().slice(0, 10)}, and until then aws secretsmanager restore-secret --secret-id ${name} brings it back`,
    );
}

async function put(name: string, SecretString: string): Promise<{ readonly ARN: string }> {
  try {
    return await callJson<{ ARN: string }>('secretsmanager', 'PutSecretValue', { SecretId: name, SecretString });
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'ResourceNotFoundException' || name.startsWith('arn:'))
      throw error;
    return callJson<{ ARN: string }>('secretsmanager', 'CreateSecret', { Name: name, SecretString });
  }
}

/** One line break at the end is the editor's, or that of `echo`, and not part of the value. */
async function readValue(name: string, file: string | undefined): Promise<string> {
  if (file !== undefined) return valueOf(await readFile(file));
  if (!process.stdin.isTTY) return valueOf(await readAll());
  return valueOf(Buffer.from(await ask(`value of ${name} (it is not shown): `)));
}

/** A value as it was written. @throws CliError for bytes that are no text: they would be kept as other ones */
export function valueOf(bytes: Uint8Array): string {
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CliError(
      'the value is no text in UTF-8: put bytes with aws secretsmanager put-secret-value --secret-binary fileb://FILE',
      2,
    );
  }
  const value = text.replace(/\r?\n$/, '');
  if (value === '') throw new CliError('the value is empty', 2);
  return value;
}

async function readAll(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    // With the line break that is no part of it.
    if (size > 65_536 + 2) throw new CliError('a value has at most 65,536 bytes', 2);
  }
  return Buffer.concat(chunks);
}

async function ask(question: string): Promise<string> {
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await prompt.question('');
  } finally {
    prompt.close();
    note('');
  }
}
