import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { run } from '../testbed/command.ts';
import { commandsBelow, pathOf } from './examples.ts';
import { program } from './main.ts';

/** What holds for every command, whoever adds one. */
const commands = commandsBelow(program);

const helpOf = (command: Command): string => {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp();
  return text;
};

/** What a command line is answered with when it is wrong. */
async function wrong(
  command: Command,
  args: readonly string[],
): Promise<{ readonly said: string; readonly code: string }> {
  let said = '';
  command.configureOutput({ writeErr: (part) => (said += part), writeOut: () => undefined });
  command.exitOverride();
  try {
    await command.parseAsync([...args], { from: 'user' });
  } catch (error) {
    return { said, code: (error as { code: string }).code };
  }
  return { said, code: 'none' };
}

test('all are looked at', () => {
  expect(commands.map(pathOf)).toEqual(expect.arrayContaining(['ps', 'images', 'hosts list', 'placement explain']));
  expect(commands.length).toBeGreaterThan(45);
});

test.each([
  [['ps', '--help'], 0],
  [['ps', '--nope'], 2],
  [['explain'], 2],
  [['nope'], 2],
  [['deployments'], 2],
  [['lb', 'list', '--output', 'yaml'], 2],
])('slipway %j ends with %i', async (args, code) => {
  const ended = await run(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], {
    env: { NO_COLOR: '1' },
  });
  expect([ended.code, ended.stdout === '']).toEqual([code, code !== 0]);
});

test('colours come from node alone, which gives them to terminals alone, and so do other sequences', () => {
  const sources = globSync('**/*.ts', { cwd: import.meta.dirname }).filter((name) => !name.endsWith('.test.ts'));
  expect(sources.length).toBeGreaterThan(80);
  const escape = /\\u001b|\\x1b|\\u\{1b\}|validateStream/i;
  const bare = sources.flatMap((name) =>
    readFileSync(join(import.meta.dirname, name), 'utf8')
      .split('\n')
      .filter((line) => escape.test(line) && !line.includes('stdout.isTTY')),
  );
  expect(bare).toEqual([]);
});

test('words are completed whatever the profile is', async () => {
  const ended = await run(
    process.execPath,
    [join(import.meta.dirname, 'main.ts'), '__complete', '--', 'deployments', 'sh'],
    { env: { AWS_PROFILE: 'none', AWS_CONFIG_FILE: '/none', AWS_SHARED_CREDENTIALS_FILE: '/none' } },
  );
  expect([ended.code, ended.stdout]).toEqual([0, expect.stringMatching(/^show\t/)]);
});

describe.each(commands.map((command) => [pathOf(command), command] as const))('slipway %s', (path, command) => {
  test('says what it does, with an example that begins with its name', () => {
    expect(command.description()).toMatch(/^[a-z]/);
    const help = helpOf(command);
    expect(help).toContain('Usage: slipway');
    expect(/Examples?:\n([^]*)/.exec(help)?.[1]).toMatch(new RegExp(`slipway ${path.replace(/ list$/, '')}\\b`));
  });

  test('refuses an option that it does not have, says which was meant, and how it is called', async () => {
    const [option] = command.options.filter(({ long }) => long !== undefined);
    const typed = `${option?.long ?? '--help'}x`;
    const needed = command.options.filter(({ mandatory }) => mandatory).flatMap(({ long = '' }) => [long, 'x']);
    const { said, code } = await wrong(command, [...needed, typed]);
    expect(code).toBe('commander.unknownOption');
    expect(said).toContain(`unknown option '${typed}'`);
    expect(said).toMatch(/Did you mean/);
    expect(said).toContain('For example: ');
  });

  test('takes --output where it shows something', () => {
    const silent = /^(serve|agent|agent bundle|balancer|exec|cp|tls renew|scan start|simulate snapshot|completion)$/;
    const output = command.options.find(({ long }) => long === '--output');
    expect(output === undefined).toBe(silent.test(path));
    expect(output?.description ?? 'json').toContain('json');
  });
});
