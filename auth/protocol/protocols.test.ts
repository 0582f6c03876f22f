import { AwsEc2QueryProtocol, AwsJson1_1Protocol, AwsRestJsonProtocol } from '@aws-sdk/core/protocols';
import { CborCodec, SmithyRpcV2CborProtocol } from '@smithy/core/cbor';
import { EventStreamCodec } from '@smithy/core/event-streams';
import { operation as normalized } from '@smithy/core/schema';
import { SignatureV4 } from '@smithy/signature-v4';
import { createHash, createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { awsJson, awsQuery, ec2Query, restJson1, rpcV2Cbor } from '../contract/index.ts';
import { callers, type FrontDoor, openFrontDoor } from '../gateway/testing/front-door.ts';
import { schemas, things } from './testing/things.ts';

/** SHA-256 as the SDK's signer wants it. */
class Sha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Buffer);
  }
  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }
  reset(): void {}
}

interface Wire {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

const namespace = 'com.example.things';
const options = { defaultNamespace: namespace, errorTypeRegistries: [] };
const protocols = {
  ec2: new AwsEc2QueryProtocol({ ...options, xmlNamespace: 'http://things/', version: '2020-02-02' } as never),
  cbor: new SmithyRpcV2CborProtocol(options as never),
  rest: new AwsRestJsonProtocol(options as never),
  json: new AwsJson1_1Protocol({ ...options, serviceTarget: 'Things_1' } as never),
} as const;

/** The contract with the SDK's own protocol classes: what they write we read, what we write they read. */
describe.concurrent('wire protocols', () => {
  let door: FrontDoor;
  beforeAll(async () => {
    door = await openFrontDoor({
      services: [
        things('ec2', [ec2Query('2020-02-02', 'http://things/')]),
        // Two services with one signing name, and one service with three protocols.
        things('monitoring', [
          awsQuery('2010-08-01', 'http://monitoring/'),
          rpcV2Cbor('Things'),
          awsJson('1.1', 'Things_1'),
        ]),
        things('monitoring', [awsQuery('2015-12-01', 'http://other/')]),
        things('files', [restJson1('/2020-01-01/')]),
      ],
    });
  });
  afterAll(() => door[Symbol.asyncDispose]());

  async function send(
    service: string,
    request: { method: string; path: string; query?: object; headers: Record<string, string>; body?: unknown },
    caller: (typeof callers)[keyof typeof callers] = callers.admin,
  ): Promise<Wire> {
    const url = new URL(door.url);
    const signer = new SignatureV4({ service, region: 'us-east-1', credentials: caller, sha256: Sha256 as never });
    const signed = (await signer.sign({
      protocol: 'http:',
      hostname: url.hostname,
      port: Number(url.port),
      ...request,
      query: (request.query ?? {}) as Record<string, string>,
      headers: { ...request.headers, host: url.host },
    } as never)) as unknown as { headers: Record<string, string> };
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(request.query ?? {}))
      for (const each of [value].flat()) search.append(name, each as string);
    const { host: _host, 'content-length': _length, ...headers } = signed.headers;
    const response = await fetch(`${door.url}${request.path}${search.size === 0 ? '' : `?${search.toString()}`}`, {
      method: request.method,
      headers,
      ...(request.body === undefined ? {} : { body: request.body as string }),
    });
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: Buffer.from(await response.arrayBuffer()),
    };
  }

  /** Writes a request with the SDK's protocol, and reads the answer with it. */
  async function call(
    kind: keyof typeof protocols,
    service: string,
    name: 'DescribeThings' | 'PutThing',
    input: object,
  ): Promise<Record<string, unknown>> {
    const protocol = protocols[kind];
    const [, space, named, traits, inputSchema, outputSchema] = schemas[`${name}$`] as unknown as [
      9,
      string,
      string,
      object,
      () => never,
      () => never,
    ];
    const operation = normalized(space, named, traits as never, inputSchema, outputSchema);
    const context = {
      endpoint: async () => ({ protocol: 'http:', hostname: 'x', path: '/' }),
      __smithy_context: { service: 'Things', operation: name },
    };
    const serde = {
      base64Decoder: (t: string) => Buffer.from(t, 'base64'),
      base64Encoder: (b: Uint8Array) => Buffer.from(b).toString('base64'),
      utf8Encoder: (b: Uint8Array) => Buffer.from(b).toString('utf8'),
      utf8Decoder: (t: string) => Buffer.from(t),
      streamCollector: async (b: Uint8Array) => b,
    };
    protocol.setSerdeContext(serde as never);
    const request = await protocol.serializeRequest(operation as never, input, { ...serde, ...context } as never);
    const answer = await send(service, request as never);
    return protocol.deserializeResponse(
      operation as never,
      { ...serde, ...context } as never,
      { statusCode: answer.status, headers: answer.headers, body: answer.body } as never,
    ) as Promise<unknown> as Promise<Record<string, unknown>>;
  }

  const madeAt = new Date(1_700_000_000_000);
  const input = {
    Ids: ['a', 'b &<>'],
    Filters: [
      { Name: 'state', Values: ['on', 'off'] },
      { Name: 'zone', Values: ['x'] },
    ],
    MaxResults: 5,
    DryRun: false,
    Since: madeAt,
  };
  const first = { Id: 'a', Size: 5, Active: false, MadeAt: madeAt, Names: ['on', 'off', 'x'] };

  test.for(['ec2', 'cbor', 'json'] as const)(
    '%s: structures, lists, times and flags arrive and come back',
    async (kind) => {
      const output = await call(kind, kind === 'ec2' ? 'ec2' : 'monitoring', 'DescribeThings', input);
      expect(output['Things']).toEqual([first, { ...first, Id: 'b &<>' }]);
    },
  );

  test('rest: members in the query, in a header and in the path arrive, and the answer has the operation’s status', async () => {
    const output = await call('rest', 'files', 'DescribeThings', input);
    expect(output['Things']).toEqual([first, { ...first, Id: 'b &<>' }]);
    const put = await call('rest', 'files', 'PutThing', {
      Group: 'a b/ü%',
      Thing: { Size: 1.5, MadeAt: madeAt, Content: new Uint8Array([0, 255]) },
    });
    expect(put['Thing']).toMatchObject({ Id: 'a b/ü%', Size: 1.5, MadeAt: madeAt });
    expect(Buffer.from((put['Thing'] as { Content: Uint8Array }).Content)).toEqual(Buffer.from([0, 255]));
  });

  test('cbor: bytes and fractions of a second survive', async () => {
    const Thing = { MadeAt: new Date(1_700_000_000_123), Content: new Uint8Array([0, 255]), Size: -(2 ** 40) };
    const put = await call('cbor', 'monitoring', 'PutThing', { Group: 'g', Thing });
    expect(put['Thing']).toMatchObject({ Id: 'g', MadeAt: Thing.MadeAt, Size: Thing.Size });
  });

  test.for([
    ['ec2', 'ec2', 'ThingNotFound'],
    ['cbor', 'monitoring', 'ThingNotFound'],
    ['json', 'monitoring', 'ThingNotFound'],
    ['rest', 'files', 'ThingNotFound'],
  ] as const)('%s: errors have their name and their message', async ([kind, service, name]) => {
    const error = await call(kind, service, 'DescribeThings', { Ids: ['missing'] }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    const { name: named, __type, message } = error as Error & { __type?: string };
    // Without a class for the error the SDK leaves the name in different places.
    expect([named, __type]).toContain(name);
    expect(message).toContain('There is no such thing <&>');
  });

  test('rest and cbor: an error has its modeled status', async () => {
    const rest = await send('files', {
      method: 'POST',
      path: '/2020-01-01/things',
      query: { id: 'missing' },
      headers: {},
    });
    expect([rest.status, rest.headers['x-amzn-errortype']]).toEqual([404, 'ThingNotFound']);
    const cbor = await cborCall(new CborCodec(), { Ids: ['missing'] });
    expect([cbor.status, cbor.headers['smithy-protocol']]).toEqual([404, 'rpc-v2-cbor']);
  });

  const cborBody = async (
    body: Uint8Array,
    service = 'monitoring',
    path = '/service/Things/operation/DescribeThings',
  ) =>
    send(service, {
      method: 'POST',
      path,
      headers: { 'content-type': 'application/cbor', 'smithy-protocol': 'rpc-v2-cbor' },
      body: Buffer.from(body),
    });
  const cborCall = (codec: CborCodec, value: object): Promise<Wire> => {
    const serializer = codec.createSerializer();
    serializer.write(15, value);
    return cborBody(serializer.flush());
  };

  describe('services with one signing name', () => {
    const query = (service: string, version: string) =>
      send(service, {
        method: 'POST',
        path: '/',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: `Action=DescribeThings&Version=${version}&ThingId.member.1=a`,
      });

    test.for(['2010-08-01', '2015-12-01'])('version and action choose: %s', async (version) => {
      const { status, body } = await query('monitoring', version);
      expect(status).toBe(200);
      expect(body.toString()).toContain(version === '2010-08-01' ? 'http://monitoring/' : 'http://other/');
    });

    test('the signing name is checked, not used to choose', async () => {
      const other = await query('monitoring', '2020-02-02');
      expect([other.status, other.body.toString()]).toEqual([
        400,
        expect.stringContaining('Could not find operation DescribeThings for version 2020-02-02'),
      ]);
      for (const answer of [
        await cborBody(new Uint8Array([0xa0]), 'files'),
        await send('ec2', { method: 'POST', path: '/2020-01-01/things', headers: {} }),
        await send('files', {
          method: 'POST',
          path: '/',
          headers: { 'x-amz-target': 'Things_1.DescribeThings' },
          body: '{}',
        }),
      ]) {
        expect(answer.body.toString('latin1')).toContain('Credential should be scoped to correct service');
      }
    });
  });

  describe('what is not there, or not allowed, is said in the caller’s protocol', () => {
    test('ec2', async () => {
      const form = { 'content-type': 'application/x-www-form-urlencoded' };
      const body = 'Action=NoSuch&Version=2020-02-02';
      const none = await send('ec2', { method: 'POST', path: '/', headers: form, body });
      expect(none.body.toString()).toMatch(/\n<Response><Errors><Error><Code>InvalidAction<\/Code>/);
      const denied = await send(
        'ec2',
        { method: 'POST', path: '/', headers: form, body: 'Action=DescribeThings&Version=2020-02-02' },
        callers.nobody,
      );
      expect([denied.status, denied.body.toString()]).toEqual([
        403,
        expect.stringContaining('<Code>UnauthorizedOperation</Code>'),
      ]);
    });

    test('rest', async () => {
      const none = await send('files', { method: 'DELETE', path: '/2020-01-01/things', headers: {} });
      expect([none.status, none.headers['x-amzn-errortype']]).toEqual([404, 'UnknownOperationException']);
      const unsigned = await fetch(`${door.url}/2020-01-01/things`, { method: 'POST' });
      expect([unsigned.status, unsigned.headers.get('x-amzn-errortype')]).toEqual([
        403,
        'MissingAuthenticationTokenException',
      ]);
    });

    test('cbor', async () => {
      const none = await cborBody(new Uint8Array([0xa0]), 'monitoring', '/service/Things/operation/NoSuch');
      expect([none.status, none.headers['content-type']]).toEqual([400, 'application/cbor']);
      expect(none.body.toString('latin1')).toContain('UnknownOperationException');
    });
  });

  test.for([
    ['ThingId.1=a&ThingId.1=b', 'given twice'],
    ['MaxResults=many', 'Not a number'],
    ['ThingId=a', 'Not a list or map'],
    ['DryRun=perhaps', 'Not a boolean'],
  ] as const)('ec2: refuses %s', async ([parameters, why]) => {
    const answer = await send('ec2', {
      method: 'POST',
      path: '/',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `Action=DescribeThings&Version=2020-02-02&${parameters}`,
    });
    expect([answer.status, answer.body.toString()]).toEqual([400, expect.stringContaining(why)]);
  });

  test.for([
    ['POST', '/2020-01-01/things', { max: ['1', '2'] }, '{}'],
    ['POST', '/2020-01-01/things', { max: 'x' }, '{}'],
    ['PUT', '/2020-01-01/groups/%ff/things', {}, '{}'],
    ['PUT', '/2020-01-01/groups//things', {}, '{}'],
    ['PUT', '/2020-01-01/groups/a/things/b', {}, '{}'],
    ['PUT', '/2020-01-01/groups/a/things', {}, '{"Thing":[]}'],
    ['PUT', '/2020-01-01/groups/a/things', {}, '['],
    ['PUT', '/2020-01-01/groups/a/things', {}, '"a"'],
  ] as const)('rest: refuses %s %s %j %s', async ([method, path, query, body]) => {
    const answer = await send('files', { method, path, query, headers: {}, body });
    expect([400, 404]).toContain(answer.status);
    expect(answer.headers['x-amzn-errortype']).toMatch(/^(?:SerializationException|UnknownOperationException)$/);
  });

  describe('event streams', () => {
    const decoder = new EventStreamCodec(
      (bytes) => Buffer.from(bytes as Uint8Array).toString('utf8'),
      (given) => Buffer.from(given),
    );
    /** The frames of a body: kind, name and payload; the decoder checks lengths and both checksums. */
    const framesOf = (body: Buffer): (readonly [string, string, Buffer])[] => {
      const frames: (readonly [string, string, Buffer])[] = [];
      for (let at = 0; at < body.byteLength; at += body.readUInt32BE(at)) {
        const frame = decoder.decode(body.subarray(at, at + body.readUInt32BE(at)));
        const header = (name: string): string => String(frame.headers[name]?.value ?? '');
        frames.push([
          header(':message-type'),
          header(':event-type') || header(':exception-type'),
          Buffer.from(frame.body),
        ]);
      }
      return frames;
    };
    const watch = (body: string): Promise<Wire> =>
      send('monitoring', { method: 'POST', path: '/', headers: { 'x-amz-target': 'Things_1.Watch' }, body });

    test('events leave as frames that the SDK reads', async () => {
      const answer = await watch('{}');
      expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/vnd.amazon.eventstream']);
      const frames = framesOf(answer.body);
      expect(frames.map(([kind, name, payload]) => [kind, name, JSON.parse(payload.toString()) as unknown])).toEqual([
        ['event', 'initial-response', {}],
        ['event', 'started', { Session: 's-1' }],
        ['event', 'thing', { Id: 'a', MadeAt: 1_700_000_000.123 }],
      ]);
    });

    test('cbor and rest carry them too', async () => {
      const cbor = await cborBody(new Uint8Array([0xa0]), 'monitoring', '/service/Things/operation/Watch');
      expect(framesOf(cbor.body).map(([, name]) => name)).toEqual(['initial-response', 'started', 'thing']);
      const rest = await send('files', { method: 'POST', path: '/2020-01-01/watch', headers: {}, body: '{}' });
      expect(framesOf(rest.body).map(([, name]) => name)).toEqual(['started', 'thing']);
    });

    test('an error on the way is the last frame', async () => {
      const frames = framesOf((await watch('{"Fail":true}')).body);
      expect(frames.at(-1)).toMatchObject(['exception', 'ThingNotFound', Buffer.from('{"message":"It went away"}')]);
    });
  });
});
