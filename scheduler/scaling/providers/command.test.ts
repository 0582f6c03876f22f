import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning } from '@slipway/storage/testing';
import { afterAll, describe, expect, test, vi } from 'vitest';

import { commandProvider } from './command.ts';

import { holdToContract, specOf } from './testing/provider-contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-command-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
/** A provider whose program is a script. @param body with `request` in hand and `state`, a file that is there for it alone */
function scripted(body: string, timeouts = { change: 60_000, list: 60_000 }) {
  const file = join(folder, `${++count}.mjs`);
  const state = join(folder, `${count}.json`);
  const head = `import { existsSync, readFileSync, writeFileSync } from 'node:fs';
const request = JSON.parse(readFileSync(0, 'utf8'));
const state = ${JSON.stringify(state)};
`;
  writeFileSync(file, head + body);
  return {
    state,
    provider: commandProvider({
      name: 'lab',
      command: [process.execPath, file],
      env: { GREETING: 'hello' },
      timeouts,
      rests: ['Stopped', 'Hibernated'],
    }),
  };
}

const keeping = `
const machines = existsSync(state) ? JSON.parse(readFileSync(state, 'utf8')) : {};
if (request.operation === 'launch') machines[request.id] = request.owner;
if (request.operation === 'terminate') delete machines[request.id];
writeFileSync(state, JSON.stringify(machines));
const instances = Object.entries(machines).map(([id, owner]) => ({ id, owner }));
if (request.operation === 'list') console.log(JSON.stringify({ instances }));
`;

holdToContract('a program', () => scripted(keeping).provider);

const over = new AbortController().signal;

describe('a program', () => {
  test('is told everything on its standard input, and finds what it is given in its environment', async () => {
    const { provider, state } = scripted(
      `writeFileSync(state, JSON.stringify({ request, env: process.env.GREETING, home: process.env.HOME }));`,
    );
    const spec = specOf('i-00000000000000001');
    await provider.launch(spec, over);
    expect(JSON.parse(readFileSync(state, 'utf8'))).toEqual({
      request: { version: 1, operation: 'launch', ...spec },
      env: 'hello',
    });
  });

  test('is told how a machine is to wait, where it can have it do that', async () => {
    const { provider, state } = scripted(`writeFileSync(state, JSON.stringify(request));`);
    const told = (): unknown => JSON.parse(readFileSync(state, 'utf8'));
    const machine = { id: 'i-00000000000000001', owner: 'me' };
    await provider.stop?.(machine.id, 'me', 'Hibernated', over);
    expect(told()).toEqual({ version: 1, operation: 'stop', ...machine, rest: 'Hibernated' });
    await provider.start?.(machine.id, 'me', over);
    expect(told()).toEqual({ version: 1, operation: 'start', ...machine });
    expect(commandProvider({ name: 'lab', command: ['/bin/true'], env: {} })).not.toHaveProperty('stop');
  });

  test('that fails says why by the last line of its complaint, without what would act on a terminal', async () => {
    const { provider } = scripted(`console.error('first\\n\\u001b[31mno room'); process.exit(3);`);
    await expect(provider.launch(specOf('i-00000000000000001'), over)).rejects.toThrow(
      /exit status 3: {2}\[31mno room$/,
    );
  });

  test.each([
    ['nothing', ``],
    ['no JSON', `console.log('hello');`],
    ['something else', `console.log(JSON.stringify({ instances: [{ id: 'x' }] }));`],
    ['an id that is a path', `console.log(JSON.stringify({ instances: [{ id: '../../etc', owner: 'me' }] }));`],
  ])('that prints %s for a list fails', async (_what, body) => {
    await expect(scripted(body).provider.list('me', over)).rejects.toThrow(/^list printed /);
  });

  test('that prints without an end is killed', async () => {
    const { provider } = scripted(
      `for (;;) { process.stdout.write('x'.repeat(65536)); await new Promise((go) => setTimeout(go, 1)); }`,
    );
    await expect(provider.list('me', over)).rejects.toThrow(/printed more than 4194304 bytes/);
  });

  test('that takes too long is killed', async () => {
    const { provider } = scripted(`setInterval(() => {}, 1000);`, { change: 500, list: 500 });
    await expect(provider.terminate('i-00000000000000001', 'me', over)).rejects.toThrow(/killed after 0\.5 seconds/);
  });

  test('that hangs is killed with what it has started', async () => {
    const body = `
const { spawn } = await import('node:child_process');
const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
writeFileSync(state, JSON.stringify([process.pid, child.pid]));
setInterval(() => {}, 1000);`;
    const { provider, state } = scripted(body);
    const stopping = new AbortController();
    const asked = provider.terminate('i-00000000000000001', 'me', stopping.signal).catch((error: unknown) => error);
    const pids = await vi.waitFor(() => JSON.parse(readFileSync(state, 'utf8')) as number[], 60_000);
    stopping.abort();
    expect(String(await asked)).toMatch(/the server stopped meanwhile/);
    await vi.waitFor(() => expect(pids.filter(isRunning)).toEqual([]), 60_000);
  });

  test('that is not there, or waits when the server stops, fails', async () => {
    const absent = commandProvider({ name: 'lab', command: [join(folder, 'none')], env: {} });
    await expect(absent.list('me', over)).rejects.toThrow(/cannot be run: .*ENOENT/);
    await expect(scripted(`setInterval(() => {}, 1000);`).provider.list('me', AbortSignal.abort())).rejects.toThrow(
      /the server stopped meanwhile/,
    );
  });
});
