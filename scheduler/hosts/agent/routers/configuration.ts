import { firelensOwnOptions, outputOption } from '../../../reach/index.ts';
import type { AgentContainer, AgentTask } from '../../wire/index.ts';
import { ownContainers } from '../pause.ts';
import { forwardPort, routedOptions, secretOptionsOf, variableOf } from './task.ts';

/** Where a router finds its socket, and Docker's driver on the other side of the mount. */
export const socketFolder = '/var/run';
export const socketName = 'fluent.sock';

/** Where the two programs look for their configuration in the images that their makers and AWS publish. */
export const configurationPath = (type: string): string =>
  type === 'fluentd' ? '/fluentd/etc/fluent.conf' : '/fluent-bit/etc/fluent-bit.conf';

/** Where the router finds what was read from S3, as amazon-ecs-agent puts it. */
export const addedPath = (type: string): string =>
  type === 'fluentd' ? '/fluentd/etc/external.conf' : '/fluent-bit/etc/external.conf';

/** One section: a line of its own that names it, and members in their order. */
interface Section {
  readonly kind: string;
  readonly members: readonly (readonly [name: string, value: string])[];
}

/** What comes into the router, what is done to it and where it goes, in either program's words. */
interface Part {
  readonly container: AgentContainer;
  readonly options: Readonly<Record<string, string>>;
}

/**
 * The configuration of a task's log router, made of the task alone as amazon-ecs-agent makes it: the same text every time.
 * What the task's options say was checked before (`routingRefusal`): no value ends its line.
 * @param cluster name or ARN
 */
export function routerConfiguration(task: AgentTask, router: AgentContainer, cluster: string): string {
  const { type = 'fluentbit' } = router.firelensConfiguration ?? {};
  const parts = ownContainers(task).flatMap((container): Part[] => {
    const options = routedOptions(container);
    return options === undefined ? [] : [{ container, options }];
  });
  return type === 'fluentd' ? forFluentd(task, router, cluster, parts) : forFluentBit(task, router, cluster, parts);
}

/** The address of the TCP input; none where the router is in the network of its host or in none. */
const listenOn = ({ networkMode }: AgentTask): string | undefined =>
  ({ awsvpc: '127.0.0.1', bridge: '0.0.0.0', default: '0.0.0.0', '': '0.0.0.0' })[networkMode];

/** What `enable-ecs-log-metadata` adds to each record; on by default. */
function metadataOf(task: AgentTask, router: AgentContainer, cluster: string): [string, string][] {
  const { options = {}, ec2InstanceId } = router.firelensConfiguration ?? {};
  if (options['enable-ecs-log-metadata'] === 'false') return [];
  return [
    ...(ec2InstanceId === undefined ? [] : [['ec2_instance_id', ec2InstanceId] satisfies [string, string]]),
    ['ecs_cluster', cluster.slice(cluster.lastIndexOf('/') + 1)],
    ['ecs_task_arn', task.arn],
    ['ecs_task_definition', `${task.family}:${task.version}`],
  ];
}

/** The members of an output, as they were given, with a variable in the place of each secret. */
function outputOf(
  task: AgentTask,
  { container, options }: Part,
  variable: (name: string) => string,
): [string, string][] {
  return [
    ...Object.entries(options).filter(([name]) => !firelensOwnOptions.has(name)),
    ...secretOptionsOf(container).map((name): [string, string] => [name, variable(variableOf(task, container, name))]),
  ];
}

/** The file that the author of a definition adds to it: one of the router's image, or what was read from S3. */
function fileOf({ firelensConfiguration }: AgentContainer): string | undefined {
  const { type = '', options = {} } = firelensConfiguration ?? {};
  return options['config-file-type'] === 's3' ? addedPath(type) : options['config-file-value'];
}

/** Half of what the router may have, so that a burst does not end it. */
const bufferOf = ({ memory }: AgentContainer): string => (memory > 1 ? `${Math.floor(memory / 2)}MB` : '25MB');

function forFluentBit(task: AgentTask, router: AgentContainer, cluster: string, parts: readonly Part[]): string {
  const address = listenOn(task);
  const metadata = metadataOf(task, router, cluster);
  const match = ({ container }: Part): string => `${container.name}-firelens*`;
  const grep = (part: Part, rule: string, pattern: string): Section => ({
    kind: 'FILTER',
    members: [
      ['Name', 'grep'],
      ['Match', match(part)],
      [rule, `log ${pattern}`],
    ],
  });
  const before: Section[] = [
    {
      kind: 'INPUT',
      members: [
        ['Name', 'tcp'],
        ['Listen', '127.0.0.1'],
        ['Port', '8877'],
        ['Tag', 'firelens-healthcheck'],
      ],
    },
    {
      kind: 'INPUT',
      members: [
        ['Name', 'forward'],
        ['Mem_Buf_Limit', bufferOf(router)],
        ['unix_path', `${socketFolder}/${socketName}`],
      ],
    },
    ...(address === undefined
      ? []
      : [
          {
            kind: 'INPUT',
            members: [
              ['Name', 'forward'],
              ['Listen', address],
              ['Port', String(forwardPort)],
            ] as const,
          },
        ]),
    ...parts.flatMap((part) => [
      ...patternsOf(part, 'include-pattern').map((pattern) => grep(part, 'Regex', pattern)),
      ...patternsOf(part, 'exclude-pattern').map((pattern) => grep(part, 'Exclude', pattern)),
    ]),
    ...(metadata.length === 0
      ? []
      : [
          {
            kind: 'FILTER',
            members: [
              ['Name', 'record_modifier'],
              ['Match', '*'],
              ...metadata.map(([name, value]) => ['Record', `${name} ${value}`] as const),
            ] as const,
          },
        ]),
  ];
  const after: Section[] = [
    {
      kind: 'OUTPUT',
      members: [
        ['Name', 'null'],
        ['Match', 'firelens-healthcheck'],
      ],
    },
    ...parts.flatMap((part): Section[] => {
      const [first, ...more] = namedFirst(
        outputOf(task, part, (name) => `\${${name}}`),
        outputOption('fluentbit'),
      );
      return first === undefined ? [] : [{ kind: 'OUTPUT', members: [first, ['Match', match(part)], ...more] }];
    }),
  ];
  const file = fileOf(router);
  const write = ({ kind, members }: Section): string =>
    [`[${kind}]`, ...members.map(([name, value]) => `    ${name} ${value}`), ''].join('\n');
  return [...before.map(write), ...(file === undefined ? [] : [`@INCLUDE ${file}\n`]), ...after.map(write)].join('\n');
}

const patternsOf = ({ options }: Part, name: string): string[] => (options[name] === undefined ? [] : [options[name]]);

/** The plugin's name stands before what it takes. */
function namedFirst(members: readonly [string, string][], name: string): [string, string][] {
  return [...members.filter(([key]) => key === name), ...members.filter(([key]) => key !== name)];
}

function forFluentd(task: AgentTask, router: AgentContainer, cluster: string, parts: readonly Part[]): string {
  const address = listenOn(task);
  const metadata = metadataOf(task, router, cluster);
  const match = ({ container }: Part): string => `${container.name}-firelens**`;
  const grep = (part: Part, rule: string, pattern: string): string =>
    element('filter', match(part), [
      '@type grep',
      ...element(rule, '', ['key log', `pattern ${pattern}`])
        .trimEnd()
        .split('\n'),
    ]);
  const file = fileOf(router);
  return [
    element('source', '', ['@type unix', `path ${socketFolder}/${socketName}`]),
    ...(address === undefined
      ? []
      : [element('source', '', ['@type forward', `bind ${address}`, `port ${forwardPort}`])]),
    ...parts.flatMap((part) => [
      ...patternsOf(part, 'include-pattern').map((pattern) => grep(part, 'regexp', pattern)),
      ...patternsOf(part, 'exclude-pattern').map((pattern) => grep(part, 'exclude', pattern)),
    ]),
    ...(metadata.length === 0
      ? []
      : [
          element('filter', '**', [
            '@type record_transformer',
            ...element(
              'record',
              '',
              metadata.map(([name, value]) => `${name} ${value}`),
            )
              .trimEnd()
              .split('\n'),
          ]),
        ]),
    ...(file === undefined ? [] : [`@include ${file}\n`]),
    ...parts.flatMap((part) => {
      // Double quotes make Fluentd read the variable when it starts.
      const members = namedFirst(
        outputOf(task, part, (name) => `"#{ENV['${name}']}"`),
        outputOption('fluentd'),
      );
      return members.length === 0
        ? []
        : [
            element(
              'match',
              match(part),
              members.map(([name, value]) => `${name} ${value}`),
            ),
          ];
    }),
  ].join('\n');
}

const element = (kind: string, of: string, lines: readonly string[]): string =>
  [`<${kind}${of === '' ? '' : ` ${of}`}>`, ...lines.map((line) => `    ${line}`), `</${kind}>`, ''].join('\n');
