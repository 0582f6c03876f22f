import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ecs, request } from './aws.ts';
import { preview } from './lifecycle.tsx';
import { further } from './logs.tsx';
import { readServices } from './overview-data.ts';
import { readRepository } from './repositories-data.ts';

/** What the server is asked with, and what it answers next. */
let asked: { readonly target: string; readonly input: Record<string, unknown> }[];
let answers: (() => Response)[];

beforeEach(() => {
  asked = [];
  answers = [];
  vi.stubGlobal('localStorage', { getItem: () => 'proof' });
  vi.stubGlobal(
    'fetch',
    async (_path: string, { headers, body }: { headers: Record<string, string>; body?: string }) => {
      asked.push({ target: headers['x-amz-target'] ?? '', input: JSON.parse(body ?? '{}') as Record<string, unknown> });
      const answer = answers.shift();
      if (answer === undefined) throw new TypeError('nobody is there');
      return answer();
    },
  );
});
afterEach(() => vi.unstubAllGlobals());

const says =
  (body: object, status = 200) =>
  (): Response =>
    new Response(JSON.stringify(body), { status });

const refused = says({ __type: 'AccessDeniedException', message: 'no' }, 400);

/** An answer whose connection breaks in the middle. */
const breaksOff = (): Response =>
  new Response(
    new ReadableStream({
      start(stream) {
        stream.enqueue(new TextEncoder().encode('{"serviceArns":['));
      },
      pull(stream) {
        stream.error(new TypeError('terminated'));
      },
    }),
  );

test('half an answer is none: nothing is shown as if it were not there', async () => {
  answers = [
    breaksOff,
    () => new Response('{"serviceArns":['),
    () => new Response('<html>somebody else</html>'),
    says({ serviceArns: [] }),
    () => new Response(''),
  ];
  for (let i = 0; i < 3; i++) await expect(ecs('ListServices', {})).rejects.toMatchObject({ code: 'NoAnswer' });
  expect(await ecs('ListServices', {})).toEqual({ serviceArns: [] });
  expect(await ecs('ListServices', {})).toEqual({});
});

test('that a server is not ready is an answer, and half of one is none', async () => {
  const ready = () => request('GET /readyz', '/readyz', { method: 'GET', unready: true }, {});
  answers = [
    says({ status: 'unavailable', parts: { records: 'no answer' } }, 503),
    () => new Response('<html>', { status: 503 }),
    says({}, 502),
  ];
  expect(await ready()).toEqual({ status: 'unavailable', parts: { records: 'no answer' } });
  await expect(ready()).rejects.toMatchObject({ code: '503' });
  await expect(ready()).rejects.toMatchObject({ code: '502' });
});

test('a button is refused by a policy alone; without an answer it is not known whether there is one', async () => {
  const may = (): Promise<boolean> => ecs.may('UpdateService', { service: 'web' });
  answers = [
    says({ allowed: true }),
    refused,
    says({ __type: 'ThrottlingException', message: 'Rate exceeded' }, 400),
    says({ __type: 'ServiceUnavailable', message: 'later' }, 503),
  ];
  expect(await may()).toBe(true);
  expect(await may()).toBe(false);
  await expect(may()).rejects.toMatchObject({ code: 'ThrottlingException' });
  await expect(may()).rejects.toMatchObject({ code: 'ServiceUnavailable' });
  await expect(may()).rejects.toMatchObject({ code: 'NoAnswer' });
});

test('services are read without anything else; a part that is refused is said, and half of them is none', async () => {
  const { signal } = new AbortController();
  answers = [
    says({ clusterArns: ['default'] }),
    says({ serviceArns: ['web'] }),
    says({ services: [{ serviceName: 'web' }] }),
  ];
  expect(await readServices(signal)).toEqual({
    clusters: ['default'],
    services: [{ serviceName: 'web' }],
    refused: [],
  });
  expect(asked.map(({ target }) => target.split('.')[1])).toEqual(['ListClusters', 'ListServices', 'DescribeServices']);
  answers = [says({ clusterArns: ['default', 'other'] }), refused, refused];
  const { services, refused: parts } = await readServices(signal);
  expect([services, parts.map(({ operation }) => operation)]).toEqual([[], ['ListServices']]);
  answers = [says({ clusterArns: ['default', 'other'] }), says({ serviceArns: [] })];
  await expect(readServices(signal)).rejects.toMatchObject({ code: 'NoAnswer' });
});

test('who may not see the services sees images all the same; without an answer nobody reads that nothing runs them', async () => {
  const { signal } = new AbortController();
  const repository = says({ repositories: [{ repositoryName: 'web', repositoryUri: 'registry/web' }] });
  answers = [repository, says({ imageDetails: [{ imageDigest: 'sha256:0' }] }), refused];
  expect(await readRepository('web', signal)).toMatchObject({
    images: [{ imageDigest: 'sha256:0' }],
    usedBy: new Map(),
  });
  answers = [repository, says({ imageDetails: [] })];
  await expect(readRepository('web', signal)).rejects.toMatchObject({ code: 'NoAnswer' });
});

test('a search goes on where the last look ended, and what was searched is not searched again', async () => {
  const { signal } = new AbortController();
  const look = (before: Parameters<typeof further>[2]) =>
    further([{ group: 'web', prefix: 'web/app/' }], 'rare', before, signal);
  const lastAsked = () => asked.slice(-1).map(({ input }) => [input['startTime'], input['nextToken']])[0];
  // The budget of five answers ends before anything is found.
  answers = Array.from({ length: 5 }, (_, i) => says({ events: [], nextToken: String(i + 1) }));
  const first = await look({ lines: [], places: new Map() });
  const begin = asked[0]?.input['startTime'];
  expect(lastAsked()).toEqual([begin, '4']);
  // A look that fails loses nothing.
  await expect(look(first)).rejects.toMatchObject({ code: 'NoAnswer' });
  const found = { eventId: 'a', timestamp: Date.now() - 600_000, logStreamName: 'web/app/0123456789', message: 'rare' };
  answers = [says({ events: [found] })];
  const second = await look(first);
  expect(lastAsked()).toEqual([begin, '5']);
  expect(second.lines.map(({ text }) => text)).toEqual(['rare']);
  // All was looked through: the next look is at what came since, and what comes late.
  answers = [says({ events: [] })];
  const third = await look(second);
  const [since, token] = lastAsked() ?? [];
  expect(token).toBeUndefined();
  expect(since).toBeGreaterThan(found.timestamp);
  expect(third.lines).toEqual(second.lines);
});

test('one answer that is lost does not end a preview of a policy, two in turn do', async () => {
  const lost = (): Response => {
    throw new TypeError('the connection broke');
  };
  const complete = { status: 'COMPLETE', previewResults: [{ imageDigest: 'sha256:0', appliedRulePriority: 7 }] };
  answers = [lost, says({}), lost, says(complete), lost, says(complete)];
  expect(await preview('web', '{}')).toEqual([{ digest: 'sha256:0', tags: [], pushed: undefined, rule: 7 }]);
  answers = [says({}), lost, lost];
  await expect(preview('web', '{}')).rejects.toMatchObject({ code: 'NoAnswer' });
  answers = [refused];
  await expect(preview('web', '{}')).rejects.toMatchObject({ isRefusal: true });
});
