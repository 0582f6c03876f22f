import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { AwsCli, missingAwsCli } from './aws-cli.ts';
import { check, run, until } from './command.ts';
import { ResidentProgram } from './resident.ts';

// Where the command line is, Python is.
const missing = await missingAwsCli();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'slipway-resident-')));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const script = `
import json, os, sys, time
import loaded
what, *rest = sys.argv[1:] or ["say"]
if what == "say":
    print(json.dumps([rest, os.environ.get("SAID"), os.environ.get("LOADED"), os.getcwd(), __name__, sys.argv[0], sys.stdin.read(), time.tzname[0]]))
    print("to the side", file=sys.stderr)
elif what == "end":
    print("ends")
    sys.exit(int(rest[0]))
elif what == "fail":
    raise ValueError("failed")
elif what == "write":
    print("x" * int(rest[0]))
else:
    os.write(2, str(os.getpid()).encode())
    open(rest[0], "w").write(str(os.getpid()))
    time.sleep(1000)
`;
function program(name: string, first = '#!/usr/bin/env python3'): string {
  const place = join(folder, name);
  mkdirSync(place);
  writeFileSync(
    join(place, 'loaded.py'),
    `import os\nopen(${JSON.stringify(join(place, 'loads'))}, "a").write("x")\nos.environ["LOADED"] = "yes"\n`,
  );
  writeFileSync(join(place, 'program'), `${first}\n${script}`);
  chmodSync(join(place, 'program'), 0o755);
  return join(place, 'program');
}
const loads = (path: string): number => readFileSync(join(path, '..', 'loads'), 'utf8').length;

describe.skipIf(missing !== undefined)('a program that stays loaded', () => {
  test('each call has its own arguments, environment, folder, output and end, and the program is loaded once', async () => {
    const path = program('calls');
    const resident = new ResidentProgram(path, ['loaded', 'not_there']);
    const calls = ['a b', '', 'ä"\n'].map(async (word, at) => {
      const cwd = join(folder, `cwd${at}`);
      mkdirSync(cwd);
      const { code, stdout, stderr } = await resident.run(['say', word], {
        cwd,
        env: { SAID: `${at}`, TZ: `X${'YZA'[at]}Q0` },
      });
      expect({ code, stderr }).toEqual({ code: 0, stderr: 'to the side\n' });
      expect(JSON.parse(stdout)).toEqual([[word], `${at}`, 'yes', cwd, '__main__', path, '', `X${'YZA'[at]}Q`]);
    });
    await Promise.all(calls);
    expect(await resident.run(['end', '3'])).toEqual({ code: 3, stdout: 'ends\n', stderr: '' });
    const failed = await resident.run(['fail']);
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toContain('ValueError: failed');
    expect((await resident.run(['write', '3000000'])).stdout).toHaveLength(3_000_001);
    expect(loads(path)).toBe(1);
    expect(await run(path, ['end', '3'])).toEqual({ code: 3, stdout: 'ends\n', stderr: '' });
    expect(loads(path)).toBe(2);
  });

  test('a call that lasts too long is killed, and others are answered', async () => {
    const resident = new ResidentProgram(program('lasts'), []);
    const lasting = resident.run(['last', join(folder, 'lasting')], { timeout: 2000 });
    expect(await resident.run(['end', '0'])).toMatchObject({ code: 0 });
    expect(await lasting).toMatchObject({ code: 128, stderr: expect.stringMatching(/\n\(killed by SIGKILL\)$/) });
  });

  test('it ends, with the calls that run, when who calls has ended', async () => {
    const path = program('ends');
    const file = join(folder, 'ending');
    const source = `
      import { ResidentProgram } from ${JSON.stringify(join(import.meta.dirname, 'resident.ts'))};
      import { statSync } from 'node:fs';
      const resident = new ResidentProgram(${JSON.stringify(path)}, []);
      console.log(JSON.stringify(await resident.run(['end', '0'])));
      if (process.argv.length > 1) {
        void resident.run(['last', process.argv[1]]).catch(() => undefined);
        setInterval(() => statSync(process.argv[1], { throwIfNoEntry: false })?.size > 0 && process.exit(0), 50);
      }`;
    // Between calls it keeps nobody from ending.
    const node = ['--input-type=module', '-e', source];
    expect(await check(process.execPath, node)).toContain('"code":0');
    await check(process.execPath, [...node, file]);
    const pid = await until(
      'the call to say who it is',
      180_000,
      async () => Number(readFileSync(file, 'utf8')) || undefined,
    );
    await until('the call to end', 180_000, () => run('kill', ['-0', String(pid)]).then(({ code }) => code !== 0));
  });

  test('what is no Python script is started for each call', async () => {
    const path = join(folder, 'shell');
    writeFileSync(path, '#!/bin/sh\necho "$@" $SAID\nexit 4\n', { mode: 0o755 });
    const resident = new ResidentProgram(path, []);
    expect(await resident.run(['a', 'b'], { env: { SAID: 'c' } })).toEqual({ code: 4, stdout: 'a b c\n', stderr: '' });
    await expect(new ResidentProgram('no-such-program-here', []).run([])).rejects.toThrow('ENOENT');
  });
});

test.skipIf(missing !== undefined)('the AWS command line says and does the same when it stays loaded', async () => {
  writeFileSync(join(folder, 'config'), '[default]\nregion = eu-west-3\noutput = text\n');
  writeFileSync(join(folder, 'input.json'), '{"clusters": ["a"]}');
  const env = {
    AWS_PAGER: '',
    AWS_CONFIG_FILE: join(folder, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_ACCESS_KEY_ID: 'AKIA',
    AWS_SECRET_ACCESS_KEY: 'x',
    AWS_MAX_ATTEMPTS: '1',
  };
  const cli = new AwsCli(env);
  const calls = [
    ['configure', 'get', 'region'],
    ['ecs', 'no-such-operation'],
    [
      '--endpoint-url',
      'http://127.0.0.1:1',
      'ecs',
      'describe-clusters',
      '--cli-input-json',
      `file://${join(folder, 'input.json')}`,
    ],
  ];
  for (const args of calls) expect(await cli.run(args), args.join(' ')).toEqual(await run('aws', args, { env }));
});
