import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { parseImageReference } from '@slipway/scheduler/references';
import { CliError } from '../errors.ts';
import { readCompose } from './compose.ts';
import { readYaml } from './fields.ts';
import { type App, type ImageSource, nameFrom, usualMemory } from './model.ts';
import { Problems } from './problems.ts';
import { readSlipwayFile } from './slipway-file.ts';
import { interpolate } from './values.ts';

/** What a folder is looked through for, in this order. */
const files = [
  'slipway.yaml',
  'slipway.yml',
  'compose.yaml',
  'compose.yml',
  'docker-compose.yaml',
  'docker-compose.yml',
  'Dockerfile',
] as const;

/** What somebody wants to run: a file that says it, a folder with a Dockerfile, or an image. */
export type Input =
  | { readonly kind: 'slipway' | 'compose'; readonly path: string }
  | { readonly kind: 'dockerfile'; readonly folder: string }
  | { readonly kind: 'image'; readonly image: string };

/** @param what a file, a folder or an image; the working folder when left out. @throws CliError when it is none of them */
export function findInput(what = '.'): Input {
  const path = resolve(what);
  if (existsSync(path)) {
    if (!statSync(path).isDirectory()) return ofFile(path);
    const found = files.find((name) => existsSync(join(path, name)));
    if (found !== undefined) return ofFile(join(path, found));
    throw new CliError(`${path} has none of ${files.join(', ')}: name a file, a folder or an image`, 2);
  }
  if (/^[./~]|\.ya?ml$/.test(what) || parseImageReference(what) === undefined)
    throw new CliError(`there is no file or folder ${what}`, 2);
  return { kind: 'image', image: what };
}

function ofFile(path: string): Input {
  const name = basename(path);
  if (name === 'Dockerfile') return { kind: 'dockerfile', folder: dirname(path) };
  return { kind: /^slipway(\.|$)/.test(name) ? 'slipway' : 'compose', path };
}

/** What options say of an image or a folder with a Dockerfile; files say it themselves. */
export interface ImageOptions {
  readonly name?: string;
  readonly port?: string;
  readonly listen?: string;
  readonly count?: string;
  readonly healthPath?: string;
  readonly env?: readonly string[];
}

/** The app that a file describes. @throws CliError with all that is wrong in it, by line */
export function readApp(
  input: Input & { readonly path: string },
  shell: Readonly<Record<string, string | undefined>>,
  { name }: ImageOptions,
): App {
  const problems = new Problems(relativeTo(input.path));
  const read = input.kind === 'slipway' ? readSlipwayFile : readCompose;
  const app = read(
    {
      path: input.path,
      source: readFileSync(input.path, 'utf8'),
      variables: { ...dotEnv(dirname(input.path)), ...shell },
      ...(name === undefined ? {} : { name }),
      usualName: basename(dirname(input.path)),
    },
    problems,
  );
  problems.refuse();
  return app;
}

/** The file beside a compose file that docker compose would read on top of it, and nothing here does; undefined for none. */
export function overrideOf({ path }: { readonly path: string }): string | undefined {
  const [, name] = /^((?:docker-)?compose)\.ya?ml$/.exec(basename(path)) ?? [];
  if (name === undefined) return undefined;
  return ['yaml', 'yml'].map((ext) => `${name}.override.${ext}`).find((file) => existsSync(join(dirname(path), file)));
}

const relativeTo = (path: string): string => (dirname(path) === process.cwd() ? basename(path) : path);

function dotEnv(folder: string): Record<string, string | undefined> {
  const path = join(folder, '.env');
  return existsSync(path) ? parseEnv(readFileSync(path, 'utf8')) : {};
}

/**
 * The name of the project that a file, a folder or an image is, even where what the file says of services is wrong.
 * @throws CliError when the file does not say it for sure: half of a name is another project's
 */
export function projectOf(input: Input, shell: Readonly<Record<string, string | undefined>>): string {
  if (input.kind === 'image') return nameFrom(parseImageReference(input.image)?.repository.split('/').at(-1) ?? '');
  if (input.kind === 'dockerfile') return nameFrom(basename(input.folder));
  const variables = { ...dotEnv(dirname(input.path)), ...shell };
  const problems = new Problems(relativeTo(input.path));
  const root = readYaml(readFileSync(input.path, 'utf8'), problems, (raw, refuse) =>
    interpolate(raw, variables, refuse),
  );
  const name = root.members().get('name')?.text();
  problems.refuse();
  return nameFrom(name ?? basename(dirname(input.path)));
}

/**
 * The app that an image alone is: one service of its name.
 * @param exposed the port that the image says it listens on
 * @throws CliError when nothing says which port it answers on
 */
export function appOfImage(
  input: Exclude<Input, { readonly path: string }>,
  options: ImageOptions,
  exposed: number | undefined,
): App {
  const name = nameFrom(options.name ?? projectOf(input, {}));
  if (name === '') throw new CliError('say its name with --name: letters and digits, that all names begin with', 2);
  const containerPort = options.port === undefined ? exposed : numberOf('--port', options.port, 1, 65_535);
  if (containerPort === undefined)
    throw new CliError(
      'which port does it answer on? Its image does not say exactly one (EXPOSE): say --port, e.g. --port 8080',
      2,
    );
  const source: ImageSource =
    input.kind === 'image'
      ? { kind: 'image', image: input.image }
      : { kind: 'build', context: input.folder, arguments: {}, image: `${name}:latest` };
  const environment = (options.env ?? []).map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw new CliError(`--env is NAME=value, not '${text}'`, 2);
    return { name: text.slice(0, at), value: text.slice(at + 1) };
  });
  const healthPath = options.healthPath ?? '/';
  if (!healthPath.startsWith('/')) throw new CliError('--health-path begins with /', 2);
  const count = options.count === undefined ? undefined : numberOf('--count', options.count, 0, 1000);
  return {
    name,
    folder: process.cwd(),
    services: [
      {
        name,
        line: 0,
        ...(count === undefined ? {} : { count }),
        volumes: [],
        healthPath,
        publish: [{ container: name, containerPort, port: numberOf('--listen', options.listen ?? '80', 1, 65_535) }],
        containers: [
          {
            source,
            secrets: {},
            definition: {
              name,
              essential: true,
              memoryReservation: usualMemory,
              portMappings: [{ containerPort, protocol: 'tcp' }],
              ...(environment.length === 0 ? {} : { environment }),
            },
          },
        ],
      },
    ],
  };
}

function numberOf(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d{1,6}$/.test(text) && value >= least && value <= most) return value;
  throw new CliError(`${option} is a whole number from ${least} to ${most}, not '${text}'`, 2);
}
