import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { linesOf } from './logs-lines.ts';
import { Others } from './logs-sources.ts';

interface Asked {
  readonly logGroupName: string;
  readonly startTime: number;
  readonly nextToken?: string;
  readonly filterPattern?: string;
}

const asked: Asked[] = [];
/** What a group answers with: pages, one after the other; none for a group that is not there. */
const groups: Record<string, readonly (readonly string[])[] | undefined> = {};

beforeEach(() => {
  asked.length = 0;
  for (const name of Object.keys(groups)) groups[name] = undefined;
  vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIATEST');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  vi.stubGlobal('fetch', (_: string, { body }: { body: string }) => {
    const input = JSON.parse(body) as Asked;
    asked.push(input);
    const pages = groups[input.logGroupName];
    if (pages === undefined)
      return Promise.resolve(Response.json({ __type: 'ResourceNotFoundException', message: 'none' }, { status: 400 }));
    const at = Number(input.nextToken ?? '0');
    return Promise.resolve(
      Response.json({
        events: pages[at]?.map((id) => ({ eventId: id, timestamp: Number(id), logStreamName: 'p/web/x', message: id })),
        ...(at + 1 < pages.length ? { nextToken: String(at + 1) } : {}),
      }),
    );
  });
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const source = (group: string) => ({ group, container: 'web', streams: 'p/web/' });
const others = new Others({} as never, { cluster: 'default', group: undefined });
const texts = async (sources: ReturnType<typeof source>[], waitingFor?: Set<string>): Promise<string[]> => {
  const found: string[] = [];
  const look = { pattern: 'x', others, ...(waitingFor === undefined ? {} : { waitingFor }) };
  for await (const { message } of linesOf(sources, () => 7, look)) found.push(message);
  return found;
};

test('full pages, and empty ones in between, are followed to the end, in the order of time over groups', async () => {
  groups['a'] = [['11', '14'], [], ['15', '18']];
  groups['b'] = [['12'], ['13', '16'], ['17']];
  expect(await texts([source('a'), source('b')])).toEqual(['11', '12', '13', '14', '15', '16', '17', '18']);
  expect(asked.filter(({ logGroupName }) => logGroupName === 'a').map(({ nextToken }) => nextToken)).toEqual([
    undefined,
    '1',
    '2',
  ]);
  expect(new Set(asked.map(({ startTime, filterPattern }) => `${startTime} ${filterPattern}`))).toEqual(
    new Set(['7 x']),
  );
});

test('a log group that is not there is an error; who follows waits for it, says so once, and sees the others', async () => {
  groups['a'] = [['11']];
  await expect(texts([source('a'), source('b')])).rejects.toThrow('the log group b does not exist');
  const told: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => told.push(String(text)) > 0);
  const waitingFor = new Set<string>();
  expect(await texts([source('a'), source('b')], waitingFor)).toEqual(['11']);
  expect(await texts([source('a'), source('b')], waitingFor)).toEqual(['11']);
  groups['b'] = [['12']];
  expect(await texts([source('a'), source('b')], waitingFor)).toEqual(['11', '12']);
  expect([told.length, waitingFor.size]).toEqual([1, 0]);
  expect(told[0]).toMatch(/the log group b does not exist: .*; waiting for it/);
});
