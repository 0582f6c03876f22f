import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { holdToContract, newId, specOf } from '../testing/provider-contract.ts';
import { readPool } from './pool.ts';
import { sshProvider, standings } from './ssh.ts';
import { magicPacket } from './wake.ts';

const daemon = ['/usr/sbin/sshd', '/usr/local/sbin/sshd'].find((path) => existsSync(path));
const missing = daemon === undefined || spawnSync('ssh', ['-V']).status !== 0 ? 'no OpenSSH' : undefined;
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

const folder = mkdtempSync(join(tmpdir(), 'slipway-ssh-'));
const key = join(folder, 'key');
const knownHosts = join(folder, 'known_hosts');
const over = new AbortController().signal;
const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin' };
let port = 0;
let sshd: ReturnType<typeof spawn> | undefined;

/** In the place of `ssh`: runs what it is given here, and reaches nobody at port 1. */
const stand = mkdtempSync(join(tmpdir(), 'slipway-ssh-stand-'));
writeFileSync(
  join(stand, 'ssh'),
  `#!/bin/sh
while [ "$#" -gt 1 ]; do [ "$1 $2" != "-p 1" ] || { echo "ssh: connect to host: Connection refused" >&2; exit 255; }; shift; done
exec sh
`,
  { mode: 0o755 },
);
const inPlace = { PATH: `${stand}:${env.PATH}` };

const keygen = (file: string): void => {
  spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
};

beforeAll(async () => {
  if (daemon === undefined) return;
  port = await freePort();
  keygen(key);
  keygen(join(folder, 'host'));
  writeFileSync(knownHosts, `[127.0.0.1]:${port} ${readFileSync(join(folder, 'host.pub'), 'utf8')}`);
  writeFileSync(join(folder, 'authorized'), readFileSync(`${key}.pub`));
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true });
  const settings = [
    'ListenAddress 127.0.0.1',
    `Port ${port}`,
    `HostKey ${join(folder, 'host')}`,
    `AuthorizedKeysFile ${join(folder, 'authorized')}`,
    'StrictModes no',
    'UsePAM no',
    'PidFile none',
    'PermitRootLogin yes',
    'PasswordAuthentication no',
    'MaxStartups 100',
  ];
  writeFileSync(join(folder, 'sshd_config'), `${settings.join('\n')}\n`);
  sshd = spawn(daemon, ['-D', '-e', '-f', join(folder, 'sshd_config')], { stdio: 'ignore' });
  const pool = join(folder, 'first.json');
  writeFileSync(pool, JSON.stringify(poolOf([{ name: 'a' }])));
  await vi.waitFor(
    async () => {
      const [one] = await standings(await readPool(pool), { env, signal: over });
      if (one !== undefined && 'trouble' in one) throw new Error(one.trouble);
    },
    { timeout: 60_000, interval: 200 },
  );
}, 120_000);

afterAll(() => {
  sshd?.kill();
  for (const made of [folder, stand]) rmSync(made, { recursive: true, force: true });
});

let count = 0;
interface Machine {
  readonly name: string;
  readonly [more: string]: unknown;
}
/** Machines that are folders of this one, whose agents are files. */
const poolOf = (machines: readonly Machine[], more: object = {}): object => {
  const at = join(folder, String(++count));
  return {
    user: userInfo().username,
    key,
    knownHosts,
    join: 'cp "$PWD/../$(basename "$PWD").env" agent',
    pause: 'rm -f agent',
    leave: 'rm -f agent',
    machines: machines.map(({ name, ...rest }) => ({
      name,
      host: '127.0.0.1',
      port,
      folder: join(at, name),
      settings: join(at, `${name}.env`),
      ...rest,
    })),
    ...more,
  };
};
/** @param real whether they are reached by `ssh` itself */
function opened(machines: readonly Machine[], more: object = {}, real = false) {
  const file = join(folder, `pool-${count}.json`);
  writeFileSync(file, JSON.stringify(poolOf(machines, more)));
  const at = join(folder, String(count));
  return { at, file, provider: sshProvider({ name: 'rack', file, env: real ? env : inPlace, pace: 100 }) };
}

describe.skipIf(missing !== undefined)(
  `prepared machines by ssh itself${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    test('get their settings and their user data, which no command line shows, start their agents once, and are put back clean', async () => {
      const { at, provider } = opened(
        [{ name: 'a' }],
        {
          join: 'echo "$(cat user-data.log)" >> ran; cp ../a.env agent; cat /proc/$PPID/cmdline | tr "\\0" " " > line',
        },
        true,
      );
      const id = newId();
      const spec = {
        ...specOf(id),
        settings: { ECS_CLUSTER: 'rack', SLIPWAY_JOIN: `secret with 'quotes' and "more"` },
        template: { UserData: Buffer.from('#!/bin/sh\necho prepared\n').toString('base64') },
      };
      await provider.launch(spec, over);
      await provider.launch(spec, over);
      const text = `ECS_CLUSTER=rack\nSLIPWAY_JOIN=secret with 'quotes' and "more"\n`;
      expect(readFileSync(join(at, 'a', 'agent'), 'utf8')).toBe(text);
      expect(readFileSync(join(at, 'a', 'ran'), 'utf8')).toBe('prepared\n');
      expect(readFileSync(join(at, 'a', 'line'), 'utf8')).not.toContain('secret');
      await provider.terminate(id, 'me', over);
      for (const left of ['agent', 'claim', 'joined', 'user-data'])
        expect(existsSync(join(at, 'a', left))).toBe(left === 'x');
      expect(existsSync(join(at, 'a.env'))).toBe(false);
    });

    test('whose host key is another one, or unknown, are not spoken with', async () => {
      const other = join(folder, 'other_hosts');
      writeFileSync(other, `[127.0.0.1]:${port} ${readFileSync(`${key}.pub`, 'utf8')}`);
      for (const known of [other, '/dev/null']) {
        const { provider } = opened([{ name: 'a' }], { knownHosts: known }, true);
        await expect(provider.launch(specOf(newId()), over)).rejects.toThrow(/Host key verification failed/);
        expect(await provider.list('me', over)).toEqual([]);
      }
    });
  },
);

holdToContract('ssh', () => opened([{ name: 'a' }, { name: 'b' }]).provider);

describe('prepared machines', () => {
  test('are taken by one each, those of its zone and its type, and refused when there are no more', async () => {
    const { provider, at } = opened([
      { name: 'a', zone: 'us-east-1a', types: ['m5.large'] },
      { name: 'b', zone: 'us-east-1b' },
      { name: 'c', zone: 'us-east-1a', types: ['c5.large'] },
    ]);
    await provider.launch(specOf(newId()), over);
    expect(existsSync(join(at, 'a', 'claim'))).toBe(true);
    await expect(provider.launch(specOf(newId()), over)).rejects.toThrow(
      /No machine of the pool is free: 1 of 1 are in use$/,
    );
    await expect(provider.launch({ ...specOf(newId()), instanceType: 'x' }, over)).rejects.toThrow(
      /1 of 1|No machine of the pool is of/,
    );
    const others = await Promise.allSettled(
      [newId(), newId()].map((id) => provider.launch({ ...specOf(id), zone: 'us-east-1b' }, over)),
    );
    expect(others.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('are woken by a program, and wait for no longer than they may', async () => {
    const lamp = join(folder, 'lamp');
    const waker = join(folder, 'waker');
    writeFileSync(waker, `#!/bin/sh\necho "$1" >> ${lamp}\n`);
    chmodSync(waker, 0o755);
    const { provider } = opened([{ name: 'a', port: 1, wake: [waker, 'rack-a'] }], {
      wakeWithin: 1,
      connectWithin: 1,
    });
    await expect(provider.launch(specOf(newId()), over)).rejects.toThrow(/a did not wake within 1 seconds: /);
    expect(readFileSync(lamp, 'utf8')).toBe('rack-a\n');
    const broken = opened([{ name: 'a', port: 1, wake: ['/none'] }], { wakeWithin: 1 });
    await expect(broken.provider.launch(specOf(newId()), over)).rejects.toThrow(
      /a cannot be woken: \/none cannot be run/,
    );
  });

  test('that do not answer any more are what they were, until their end is asked for', async () => {
    const { provider, file } = opened([{ name: 'a' }]);
    const id = newId();
    await provider.launch(specOf(id), over);
    expect(await provider.list('me', over)).toEqual([{ id, owner: 'me' }]);
    const { machines, ...pool } = JSON.parse(readFileSync(file, 'utf8')) as { machines: object[] };
    writeFileSync(file, JSON.stringify({ ...pool, machines: [{ ...machines[0], port: 1 }] }));
    expect(await provider.list('me', over)).toEqual([{ id, owner: 'me' }]);
    await provider.terminate(id, 'me', over);
    expect(await provider.list('me', over)).toEqual([]);
    writeFileSync(file, JSON.stringify({ ...pool, machines }));
    expect(await provider.list('me', over)).toEqual([{ id, owner: 'me' }]);
    await provider.terminate(id, 'me', over);
    expect(await provider.list('me', over)).toEqual([]);
  });

  test('that do not answer when nobody remembers them count as what was there, and are not asked again and again', async () => {
    const { file } = opened([
      { name: 'a', port: 1 },
      { name: 'b', port: 1 },
    ]);
    const asked = join(folder, 'asked');
    const counting = join(folder, 'counting');
    mkdirSync(counting);
    writeFileSync(join(counting, 'ssh'), `#!/bin/sh\necho x >> ${asked}\nexit 255\n`, { mode: 0o755 });
    const at = { now: 0 };
    const PATH = `${counting}:${env.PATH}`;
    const provider = sshProvider({ name: 'rack', file, env: { PATH }, monotonic: () => at.now });
    const lines = (): number => readFileSync(asked, 'utf8').trim().split('\n').length;
    const id = newId();
    const unknown = [{ id, owner: 'me' }];
    expect(await provider.list('me', over, new Set([id]))).toEqual(unknown);
    expect(lines()).toBe(2);
    expect(await provider.list('me', over, new Set([id]))).toEqual(unknown);
    expect(lines()).toBe(2);
    at.now = 30_000;
    expect(await provider.list('me', over)).toEqual([]);
    expect(lines()).toBe(4);
    at.now = 89_999;
    await provider.list('me', over);
    expect(lines()).toBe(4);
    // A launch that has nothing else asks before it fails.
    await expect(provider.launch(specOf(newId()), over)).rejects.toThrow(/No machine of the pool is free: 0 of 2/);
    expect(lines()).toBe(6);
  });

  test('that were stopped are asleep, and are found and woken by a server that does not remember which they were', async () => {
    const asleep = join(folder, 'asleep-now');
    const bed = mkdtempSync(join(tmpdir(), 'slipway-ssh-bed-'));
    // Whoever sleeps does not answer: a file by its port says so.
    writeFileSync(
      join(bed, 'ssh'),
      `#!/bin/sh\nwhile [ "$#" -gt 1 ]; do [ "$1" != -p ] || [ ! -e ${asleep}-$2 ] || exit 255; shift; done\nexec sh\n`,
      { mode: 0o755 },
    );
    const waker = join(bed, 'waker');
    writeFileSync(waker, `#!/bin/sh\nrm -f ${asleep}-$1\n`, { mode: 0o755 });
    const machines = [11, 12].map((of) => ({
      name: `m${of}`,
      port: of,
      sleep: `touch ${asleep}-${of}`,
      wake: [waker, String(of)],
    }));
    const { at, file } = opened(machines, { join: 'touch agent' });
    const opening = () => sshProvider({ name: 'rack', file, env: { PATH: `${bed}:${env.PATH}` }, pace: 50 });
    const provider = opening();
    const ids = [newId(), newId()];
    for (const id of ids) await provider.launch(specOf(id), over);
    const claims = (): string[] =>
      ['m11', 'm12'].map((of) => readFileSync(join(at, of, 'claim'), 'utf8').split(' ')[0] ?? '');
    const awake = (): boolean[] => [11, 12].map((of) => !existsSync(`${asleep}-${of}`));
    for (const id of ids) await provider.stop?.(id, 'me', 'Stopped', over);
    // Again, by a server that was killed before it had written that, too.
    for (const again of [provider, opening()]) await again.stop?.(ids[0] ?? '', 'me', 'Stopped', over);
    expect(awake()).toEqual([false, false]);
    expect(existsSync(join(at, 'm11', 'agent'))).toBe(false);
    expect(await provider.list('me', over)).toHaveLength(2);
    const [, second = ''] = claims();
    await opening().start?.(second, 'me', over);
    expect(awake()[1]).toBe(true);
    expect(existsSync(join(at, 'm12', 'agent'))).toBe(true);
    await provider.start?.(claims()[0] ?? '', 'me', over);
    expect(awake()).toEqual([true, true]);
    await expect(opening().start?.(newId(), 'me', over)).rejects.toThrow(/no machine of the pool is i-/);
    rmSync(bed, { recursive: true });
  });

  test('are put to sleep when they are put back', async () => {
    const { provider, at } = opened([{ name: 'a', sleep: `touch ${join(folder, 'asleep')}; exit 1` }]);
    const id = newId();
    await provider.launch(specOf(id), over);
    await provider.terminate(id, 'me', over);
    expect([existsSync(join(folder, 'asleep')), existsSync(join(at, 'a', 'claim'))]).toEqual([true, false]);
  });

  test('that sleep are woken by several launches at once, each another one first', async () => {
    const lamps = join(folder, 'lamps');
    const waker = join(folder, 'waker-of-many');
    writeFileSync(waker, `#!/bin/sh\necho "$1" >> ${lamps}\n`, { mode: 0o755 });
    const asleep = ['a', 'b'].map((name) => ({ name, port: 1, wake: [waker, name] }));
    const { provider } = opened(asleep, { wakeWithin: 1, connectWithin: 1 });
    const launches = [newId(), newId()].map((id) => provider.launch(specOf(id), over));
    expect((await Promise.allSettled(launches)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    // One goes from a to b, the other from b to a: whichever is faster, the first two lines are not the same.
    expect(readFileSync(lamps, 'utf8').split('\n').slice(0, 2).toSorted()).toEqual(['a', 'b']);
  });

  test('that somebody else has taken meanwhile are not put to sleep', async () => {
    const racing = join(folder, 'racing');
    mkdirSync(racing);
    const another = `${newId()} another`;
    writeFileSync(join(racing, 'rm'), `#!/bin/sh\n/bin/rm "$@"\n[ "$2" != claim ] || echo '${another}' > claim\n`, {
      mode: 0o755,
    });
    const { at, file } = opened([{ name: 'a', sleep: `touch ${join(folder, 'slept')}` }]);
    const env = { PATH: `${racing}:${inPlace.PATH}` };
    const provider = sshProvider({ name: 'rack', file, env });
    const id = newId();
    await provider.launch(specOf(id), over);
    await provider.terminate(id, 'me', over);
    expect(readFileSync(join(at, 'a', 'claim'), 'utf8')).toBe(`${another}\n`);
    expect(existsSync(join(folder, 'slept'))).toBe(false);
  });

  test('run their user data where the folder of the settings is there, and say what it said last when it fails', async () => {
    const etc = join(folder, 'etc-of-a');
    const { provider } = opened([{ name: 'a', settings: join(etc, 'ecs.config') }], { join: ':' });
    const launch = (id: string, script: string) =>
      provider.launch(
        { ...specOf(id), template: { UserData: Buffer.from(`#!/bin/sh\n${script}`).toString('base64') } },
        over,
      );
    const id = newId();
    await expect(launch(id, 'echo no luck; exit 3')).rejects.toThrow(/user data ended with status 3: no luck$/);
    await provider.terminate(id, 'me', over);
    await launch(newId(), `echo ECS_CLUSTER=x >> ${etc}/ecs.config`);
    expect(readFileSync(join(etc, 'ecs.config'), 'utf8')).toBe('ECS_CLUSTER=default\n');
  });

  test('that were put back while their user data ran are not joined by it, and what it left holds up nobody', async () => {
    const { provider, at } = opened([{ name: 'a' }]);
    const UserData = Buffer.from('#!/bin/sh\nrm claim\n').toString('base64');
    await expect(provider.launch({ ...specOf(newId()), template: { UserData } }, over)).rejects.toThrow(/status 75/);
    expect([existsSync(join(at, 'a', 'agent')), existsSync(join(at, 'a.env'))]).toEqual([false, false]);
    writeFileSync(join(at, 'a', 'joined'), `${newId()}\n`);
    await provider.launch(specOf(newId()), over);
    expect(existsSync(join(at, 'a', 'agent'))).toBe(true);
  });

  test('whose agents do not start say why, and can be tried again', async () => {
    const { provider, file, at } = opened([{ name: 'a' }], { join: 'echo "no engine here" >&2; exit 3' });
    const spec = specOf(newId());
    await expect(provider.launch(spec, over)).rejects.toThrow(/exit status 3: no engine here/);
    const pool = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...pool, join: 'touch agent' }));
    await provider.launch(spec, over);
    expect(existsSync(join(at, 'a', 'agent'))).toBe(true);
  });
});

test.each([
  ['{', /is no JSON/],
  ['{}', /key Invalid input/],
  [{ machines: [] }, /machines/],
  [{ machines: [{ name: 'a', host: '-oProxyCommand=x' }] }, /machines\.0\.host must be a name or an address/],
  [{ machines: [{ name: 'a', host: 'a', mac: 'x' }] }, /machines\.0\.mac must be like/],
  [{ machines: [{ name: 'a', host: 'a', wake: ['bin'] }] }, /machines must name the programs/],
  [
    {
      machines: [
        { name: 'a', host: 'a' },
        { name: 'a', host: 'b' },
      ],
    },
    /machines must name each machine once/,
  ],
  [{ machines: [{ name: 'a', host: 'a' }], user: 'a b' }, /user must be the name of a user/],
  [{ machines: [{ name: 'a', host: 'a' }], password: 'x' }, /Unrecognized key/],
])('a file %j is refused', async (given, why) => {
  const file = join(folder, 'wrong.json');
  const keys = { key: '/key', knownHosts: '/hosts' };
  writeFileSync(file, typeof given === 'string' ? given : JSON.stringify({ ...keys, ...given }));
  await expect(readPool(file)).rejects.toThrow(why);
});

test('a packet of Wake-on-LAN has the address sixteen times', () => {
  const packet = magicPacket('52:54:00:12:34:56');
  expect(packet).toHaveLength(102);
  expect(packet.toString('hex')).toBe(`${'ff'.repeat(6)}${'525400123456'.repeat(16)}`);
});
