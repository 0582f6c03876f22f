import { dirname, resolve } from 'node:path';
import { known, pairs, variables, words } from './compose-fields.ts';
import { type Field, readYaml } from './fields.ts';
import { type App, type AppService, type ImageSource, nameFrom, usualMemory } from './model.ts';
import type { Problems } from './problems.ts';
import { interpolate } from './values.ts';
import type { ComposeInput } from './compose.ts';

/** What a `slipway.yaml` may say of a service; `tools/cli/up/README.md` has what each means. */
const fields = [
  'image',
  'build',
  'port',
  'listen',
  'health_path',
  'count',
  'cpu',
  'memory',
  'command',
  'environment',
  'secrets',
] as const;

/** Reads a `slipway.yaml`: services of one container each, behind a load balancer where they have a port. */
export function readSlipwayFile(input: ComposeInput, problems: Problems): App {
  const root = readYaml(input.source, problems, (raw, refuse) => interpolate(raw, input.variables, refuse));
  const parts = known(root, ['name', 'services']);
  const name = nameFrom(input.name ?? parts.get('name')?.text() ?? input.usualName);
  if (name === '') problems.add(0, 'needs a name: letters and digits, that all names begin with');
  const folder = dirname(input.path);
  const services = [...(parts.get('services')?.members() ?? [])].map(([key, field]) =>
    readService(name, key, field, input, folder),
  );
  if (services.length === 0 && !problems.any) problems.add(0, 'has no services');
  return { name, folder, services };
}

function readService(project: string, name: string, field: Field, input: ComposeInput, folder: string): AppService {
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(name))
    field.refuse('is named with at most 32 lower-case letters, digits and hyphens');
  const parts = known(field, fields);
  const part = (key: (typeof fields)[number]): Field | undefined => parts.get(key);
  const port = part('port')?.integer(1, 65_535);
  const listen = part('listen')?.integer(1, 65_535) ?? 80;
  if (port === undefined)
    for (const key of ['listen', 'health_path'] as const)
      part(key)?.refuse('is of a load balancer, and there is none: give the service a port');
  const healthPath = part('health_path')?.text() ?? '/';
  if (!healthPath.startsWith('/')) part('health_path')?.refuse('begins with /');
  const count = part('count')?.integer(0, 1000);
  const cpu = part('cpu')?.integer(2, 196_608);
  const environment = part('environment') === undefined ? {} : variables(part('environment') as Field, input.variables);
  const command = part('command');
  return {
    name: `${project}-${name}`,
    line: field.line,
    ...(count === undefined ? {} : { count }),
    healthPath,
    publish: port === undefined ? [] : [{ container: name, containerPort: port, port: listen }],
    volumes: [],
    containers: [
      {
        source: sourceOf(project, name, field, parts, folder),
        secrets: Object.fromEntries(
          [...(part('secrets')?.members() ?? [])].map(([variable, secret]) => [variable, secret.text() ?? '']),
        ),
        definition: {
          name,
          essential: true,
          memoryReservation: part('memory')?.integer(6, 1_048_576) ?? usualMemory,
          ...(cpu === undefined ? {} : { cpu }),
          ...(command === undefined ? {} : { command: [...words(command)] }),
          ...(Object.keys(environment).length === 0 ? {} : { environment: pairs(environment) }),
          ...(port === undefined ? {} : { portMappings: [{ containerPort: port, protocol: 'tcp' }] }),
        },
      },
    ],
  };
}

function sourceOf(
  project: string,
  name: string,
  field: Field,
  parts: ReadonlyMap<string, Field>,
  folder: string,
): ImageSource {
  const image = parts.get('image')?.text();
  const build = parts.get('build')?.text();
  if ((image === undefined) === (build === undefined)) field.refuse('needs an image or a build, not both');
  return build === undefined
    ? { kind: 'image', image: image ?? '' }
    : { kind: 'build', context: resolve(folder, build), arguments: {}, image: `${project}/${name}:latest` };
}
