import * as ecr from '@aws-sdk/client-ecr';
import * as ecs from '@aws-sdk/client-ecs';
import * as iam from '@aws-sdk/client-iam';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { awsJson, awsQuery, type Constraints } from '../contract/index.ts';
import { codecFor, InputError, modelOf, type OperationModel, parseQuery, readForm } from './index.ts';

const json = codecFor(awsJson('1.1', 'T'));
const query = codecFor(awsQuery('2010-05-08', 'https://iam.amazonaws.com/doc/2010-05-08/'));
const operation = (module: object, name: string): OperationModel =>
  modelOf(module as never).operations.get(name) as OperationModel;
const decode = (name: string, body: unknown, constraints: Constraints = {}): Record<string, unknown> =>
  json.decode(operation(ecs, name), Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), constraints);
const form = (name: string, text: string): Record<string, unknown> =>
  query.decode(operation(iam, name), parseQuery(text), {});

/** Runs and returns what was wrong, or the value; anything but an InputError goes on up. */
function outcome<T>(work: () => T): T | InputError {
  try {
    return work();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}

describe('the models', () => {
  test('hold every operation and error of the clients', () => {
    expect([modelOf(ecs as never).operations.size, modelOf(ecr as never).operations.size]).toEqual([88, 62]);
    expect(modelOf(iam as never).errors.get('NoSuchEntity')).toMatchObject({
      name: 'NoSuchEntityException',
      queryStatus: 404,
    });
    expect(modelOf(ecs as never).errors.get('ServerException')?.status).toBe(500);
    expect(modelOf(ecs as never).errors.get('AccessDeniedException')?.status).toBe(403);
  });

  test('a module without schemas is a mistake that shows at once', () => {
    expect(() => modelOf({})).toThrow('exports no operation schemas');
  });
});

describe('JSON', () => {
  test('reads numbers, maps, unions, timestamps and blobs as the handlers expect them', () => {
    const input = decode('SubmitTaskStateChange', { pullStartedAt: 1_700_000_000.5 });
    expect(input).toEqual({ pullStartedAt: new Date(1_700_000_000_500) });
    const part = json.decode(
      operation(ecr, 'UploadLayerPart'),
      Buffer.from('{"repositoryName":"a","uploadId":"u","partFirstByte":0,"partLastByte":2,"layerPartBlob":"AQID"}'),
      {},
    );
    expect(part['layerPartBlob']).toEqual(Buffer.from([1, 2, 3]));
    expect(
      outcome(() => json.decode(operation(ecr, 'UploadLayerPart'), Buffer.from('{"layerPartBlob":"A*=="}'), {})),
    ).toMatchObject({ message: 'layerPartBlob: not a base64 text' });
  });

  test('what an input may cost is bounded: too many values, and lists that are too long, are not read', () => {
    const containerDefinitions = Array.from({ length: 50_000 }, () => ({}));
    const task = { family: 'a', containerDefinitions };
    expect(outcome(() => decode('RegisterTaskDefinition', task))).toMatchObject({
      message: 'the input: the input holds too many values',
    });
    const longer = outcome(() => decode('RegisterTaskDefinition', task, { containerDefinitions: { max: 10 } }));
    expect(longer).toMatchObject({
      problems: [{ path: 'containerDefinitions', rule: 'Member must have length less than or equal to 10' }],
    });
    const settings = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, 7]));
    const container = { logConfiguration: { logDriver: 'none', options: settings } };
    const mapped = outcome(() =>
      decode('RegisterTaskDefinition', { family: 'a', containerDefinitions: [container] }, { options: { max: 10 } }),
    );
    expect(mapped).toMatchObject({
      problems: [{ path: 'containerDefinitions.1.member.logConfiguration.options', rule: /less than or equal to 10/ }],
    });
    const wrong = outcome(() => decode('CreateService', { serviceName: 'a', serviceRegistries: Array(50).fill(null) }));
    expect((wrong as InputError).problems).toHaveLength(10);
  });

  test('names every member that is missing, with its place counted from 1', () => {
    const error = outcome(() =>
      decode('CreateService', {
        loadBalancers: [{}],
        serviceRegistries: [null],
        deploymentConfiguration: { alarms: { enable: true } },
      }),
    ) as InputError;
    expect(error.problems.map(({ path }) => path)).toEqual(
      [
        'serviceName',
        'serviceRegistries.1.member',
        'deploymentConfiguration.alarms.alarmNames',
        'deploymentConfiguration.alarms.rollback',
      ].sort(
        (a, b) =>
          error.problems.findIndex(({ path }) => path === a) - error.problems.findIndex(({ path }) => path === b),
      ),
    );
    expect(error.problems.every(({ rule }) => rule === 'Member must not be null')).toBe(true);
  });

  test('a sensitive value is not repeated in the error', () => {
    const constraints = { value: { pattern: /^$/ } };
    const containerDefinitions = [{ name: 'a', environment: [{ name: 'PASSWORD', value: 'hunter2' }] }];
    const error = outcome(() =>
      decode('RegisterTaskDefinition', { family: 'f', containerDefinitions }, constraints),
    ) as InputError;
    expect(error.problems).toHaveLength(1);
    expect(JSON.stringify(error.problems)).not.toContain('hunter2');
  });

  test.each([
    [{ min: 1 }, 0, 'greater than or equal to 1'],
    [{ max: 3 }, 4, 'less than or equal to 3'],
    [{ integer: true }, 1.5, 'must be an integer'],
  ] as const)('the constraint %j is broken by %j', (constraint, desiredCount, message) => {
    const error = outcome(() =>
      decode('CreateService', { serviceName: 'a', desiredCount }, { desiredCount: constraint }),
    );
    expect((error as Error).message).toContain(message);
  });

  test('a constraint of one structure does not bind another', () => {
    const constraints = { 'CreateServiceRequest.serviceName': { max: 3 } };
    expect(outcome(() => decode('CreateService', { serviceName: 'long' }, constraints))).toBeInstanceOf(InputError);
    expect(
      outcome(() => decode('CreateTaskSet', { service: 's', cluster: 'c', taskDefinition: 't' }, constraints)),
    ).not.toBeInstanceOf(InputError);
  });

  test('an empty text is left out where a constraint says so, but never a required one nor one of a list or a map', () => {
    const constraints: Constraints = { '*': { emptyIsAbsent: true }, 'KeyValuePair.value': {} };
    const body = {
      family: '',
      taskRoleArn: '',
      containerDefinitions: [
        { name: '', command: [''], dockerLabels: { a: '' }, environment: [{ name: 'A', value: '' }] },
      ],
    };
    expect(decode('RegisterTaskDefinition', body, constraints)).toEqual({
      family: '',
      containerDefinitions: [{ command: [''], dockerLabels: { a: '' }, environment: [{ name: 'A', value: '' }] }],
    });
    expect(decode('RegisterTaskDefinition', body)).toEqual(body);
  });

  test('what nests too deeply is refused instead of overflowing the stack', () => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    const body = `{"serviceName":"a","deploymentConfiguration":{"lifecycleHooks":[{"hookDetails":${deep}}]}}`;
    expect(outcome(() => decode('CreateService', body))).toBeInstanceOf(InputError);
  });
});

describe('Query', () => {
  test('takes lists in the order of their numbers, with gaps, and empty lists', () => {
    const text =
      'RoleName=r&AssumeRolePolicyDocument={}&Tags.member.10.Key=c&Tags.member.10.Value=3&Tags.member.2.Key=a&Tags.member.2.Value=';
    expect(form('CreateRole', text)['Tags']).toEqual([
      { Key: 'a', Value: '' },
      { Key: 'c', Value: '3' },
    ]);
    expect(form('CreateRole', 'RoleName=r&AssumeRolePolicyDocument={}&Tags=')['Tags']).toEqual([]);
  });

  test.each([
    ['a parameter twice', 'RoleName=a&RoleName=b', 'the parameter is given twice'],
    ['a structure for a text', 'RoleName.x=a', 'a structure can not be converted'],
    ['a number that is none', 'RoleName=a&AssumeRolePolicyDocument={}&MaxSessionDuration=x', 'not a number'],
    ['a control character', 'RoleName=a%00', 'a character that XML cannot carry'],
    ['a text for a list', 'RoleName=a&AssumeRolePolicyDocument={}&Tags=x', 'not a list or map'],
  ])('%s is refused', (_name, text, message) => {
    expect((outcome(() => form('CreateRole', text)) as Error).message).toContain(message);
  });
});

describe('any input at all', () => {
  test('is read or refused, and what is read has the members of the model only', () => {
    const members = fc.constantFrom(
      'serviceName',
      'desiredCount',
      'tags',
      'loadBalancers',
      'deploymentConfiguration',
      '__type',
      '__proto__',
      'constructor',
      'x',
    );
    const body = fc.oneof(
      fc.json(),
      fc.string(),
      fc.dictionary(members, fc.jsonValue()).map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(body, (text) => {
        const result = outcome(() => decode('CreateService', text));
        const unknown =
          result instanceof InputError
            ? []
            : Object.keys(result).filter((key) => ['__type', '__proto__', 'constructor', 'x'].includes(key));
        expect(unknown).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });

  test('of the Query protocol is read or refused', () => {
    const key = fc
      .array(fc.constantFrom('Tags', 'member', '1', '2', 'Key', 'Value', 'RoleName', 'entry', '__proto__', ''), {
        maxLength: 6,
      })
      .map((parts) => parts.join('.'));
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.string({ unit: 'binary' }))), (pairs) => {
        const text = pairs
          .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value.toWellFormed())}`)
          .join('&');
        expect(outcome(() => form('CreateRole', text))).toBeDefined();
      }),
      { numRuns: 1000 },
    );
  });

  test('comes back as it went in, through XML', () => {
    const text = fc.string({ unit: fc.constantFrom(...Array.from('ab <>&"\'\r\n\t]é€😀')), maxLength: 30 });
    const output = operation(iam, 'GetRole');
    fc.assert(
      fc.property(text, (description) => {
        const role = {
          RoleName: 'r',
          RoleId: 'i',
          Arn: 'a',
          Path: '/',
          CreateDate: new Date(0),
          Description: description,
        };
        const xml = (query.encode(output, { Role: role }, 'id').body as Buffer).toString('utf8');
        const inner = /<Description>([^]*?)<\/Description>/.exec(xml)?.[1] ?? '';
        const back = inner.replace(/&(?:#x([0-9A-Fa-f]+)|(\w+));/g, (_, hex: string | undefined, name: string) =>
          hex === undefined
            ? ({ lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }[name] as string)
            : String.fromCodePoint(parseInt(hex, 16)),
        );
        expect(back).toBe(description);
      }),
    );
  });
});

test('the parameters of a form are counted before they are read, which costs the square of their number', () => {
  const flood = 'a&'.repeat(4_000_000);
  expect(outcome(() => parseQuery(flood))).toMatchObject({ message: 'the input: more than 10000 parameters' });
  expect(outcome(() => readForm(flood, 100))).toMatchObject({ message: 'the input: more than 100 parameters' });
  expect([...readForm('a=1&b=2&a=3', 3)]).toEqual([
    ['a', '1'],
    ['b', '2'],
    ['a', '3'],
  ]);
});
