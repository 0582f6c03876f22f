import type { StaticErrorSchema, StaticListSchema, StaticOperationSchema, StaticStructureSchema } from '@smithy/types';
import {
  type AccessList,
  AwsError,
  defineService,
  type ServiceDefinition,
  type WireProtocol,
} from '../../contract/index.ts';

const NAMESPACE = 'com.example.things';

/** Simple types as the SDK's schemas write them. */
const text = 0;
const number = 1;
const flag = 2;
const time = 4;
const bytes = 21;

/** A filter as EC2 has it: names of its own on the wire, lists of lists. */
const values: StaticListSchema = [1, NAMESPACE, 'Values', 0, [text, { xmlName: 'item' }]] as never;
const filter: StaticStructureSchema = [
  3,
  NAMESPACE,
  'Filter',
  0,
  ['Name', 'Values'],
  [text, [() => values, { xmlName: 'Value' }]],
] as never;
const filters: StaticListSchema = [1, NAMESPACE, 'Filters', 0, [() => filter, { xmlName: 'Filter' }]] as never;

const thing: StaticStructureSchema = [
  3,
  NAMESPACE,
  'Thing',
  0,
  ['Id', 'Size', 'Active', 'MadeAt', 'Names', 'Content'],
  [
    [text, { xmlName: 'thingId', jsonName: 'id' }],
    [number, { xmlName: 'size' }],
    [flag, { xmlName: 'active' }],
    [time, { xmlName: 'madeAt' }],
    [() => values, { xmlName: 'nameSet' }],
    [bytes, { xmlName: 'content' }],
  ],
] as never;
const thingList: StaticListSchema = [1, NAMESPACE, 'ThingList', 0, [() => thing, { xmlName: 'item' }]] as never;

const describeInput: StaticStructureSchema = [
  3,
  NAMESPACE,
  'DescribeThingsRequest',
  0,
  ['Ids', 'Filters', 'MaxResults', 'DryRun', 'Since'],
  [
    [() => values, { xmlName: 'ThingId', httpQuery: 'id' }],
    [() => filters, { xmlName: 'Filter' }],
    [number, { httpQuery: 'max' }],
    [flag, { ec2QueryName: 'DryRun', xmlName: 'dryRun', httpHeader: 'x-dry-run' }],
    time,
  ],
] as never;
const describeOutput: StaticStructureSchema = [
  3,
  NAMESPACE,
  'DescribeThingsResult',
  0,
  ['Things', 'NextToken'],
  [
    [() => thingList, { xmlName: 'thingSet' }],
    [text, { xmlName: 'nextToken' }],
  ],
] as never;
const putInput: StaticStructureSchema = [
  3,
  NAMESPACE,
  'PutThingRequest',
  0,
  ['Group', 'Thing'],
  [[text, { httpLabel: 1 }], () => thing],
  1,
] as never;
const putOutput: StaticStructureSchema = [3, NAMESPACE, 'PutThingResult', 0, ['Thing'], [() => thing]] as never;
const watchInput: StaticStructureSchema = [3, NAMESPACE, 'WatchRequest', 0, ['Fail'], [flag]] as never;
const started: StaticStructureSchema = [3, NAMESPACE, 'Started', 0, ['Session'], [text]] as never;
const events = [4, NAMESPACE, 'Events', { streaming: 1 }, ['started', 'thing'], [() => started, () => thing]];
const watchOutput: StaticStructureSchema = [3, NAMESPACE, 'WatchResult', 0, ['events'], [[() => events, 0]]] as never;

const operation = (name: string, http: readonly unknown[], input: unknown, output: unknown): StaticOperationSchema =>
  [9, NAMESPACE, name, { http }, () => input, () => output] as never;

/** The schemas of a service that no SDK has, in the form of the SDK's, with what every protocol binds members to. */
export const schemas = {
  DescribeThings$: operation('DescribeThings', ['POST', '/2020-01-01/things', 200], describeInput, describeOutput),
  PutThing$: operation('PutThing', ['PUT', '/2020-01-01/groups/{Group}/things', 201], putInput, putOutput),
  Watch$: operation('Watch', ['POST', '/2020-01-01/watch', 200], watchInput, watchOutput),
  ThingNotFound$: [
    -3,
    NAMESPACE,
    'ThingNotFound',
    { error: 'client', httpError: 404 },
    ['message', 'Id'],
    [text, text],
  ] as unknown as StaticErrorSchema,
} as const;

const access = async (): Promise<AccessList> => [{ action: 'things:DescribeThings', resources: [{ arn: '*' }] }];

/** Answers with what came in, so that a test sees both ways; `Ids: ['missing']` is an error, `Fail` breaks a stream. */
export function things(name: string, protocols: readonly WireProtocol[]): ServiceDefinition {
  return {
    ...defineService({ name, protocol: protocols, client: schemas, operations: {} }),
    operations: {
      DescribeThings: {
        access,
        handle: async (input: Record<string, unknown>) => {
          const ids = (input['Ids'] ?? []) as readonly string[];
          if (ids[0] === 'missing')
            throw new AwsError('ThingNotFound', 'There is no such thing <&>', { members: { Id: 'missing' } });
          return {
            Things: ids.map((Id) => ({
              Id,
              Size: input['MaxResults'],
              Active: input['DryRun'],
              MadeAt: input['Since'],
              Names: (input['Filters'] as { Values: readonly string[] }[] | undefined)?.flatMap(({ Values }) => Values),
            })),
            NextToken: name,
          };
        },
      },
      PutThing: {
        access,
        handle: async (input: Record<string, unknown>) => ({
          Thing: { ...(input['Thing'] as object), Id: input['Group'] },
        }),
      },
      Watch: {
        access,
        handle: async ({ Fail }: { Fail?: boolean }) => ({ events: watch(Fail === true) }),
      },
    } as never,
  };
}

async function* watch(fails: boolean): AsyncGenerator<object> {
  yield { started: { Session: 's-1' } };
  yield { thing: { Id: 'a', MadeAt: new Date(1_700_000_000_123) } };
  if (fails) throw new AwsError('ThingNotFound', 'It went away');
}
