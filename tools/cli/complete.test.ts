import { expect, test } from 'vitest';
import { completionScript, late, nextWords } from './complete.ts';
import { program } from './main.ts';

/** What Tab offers behind these words, of which the last may be a beginning. */
const offered = (...words: string[]): readonly string[] => nextWords(program, words).words.map(({ word }) => word);
const named = (...words: string[]): string | undefined => nextWords(program, words).names;

test('commands, and those below them', () => {
  expect(offered('')).toEqual(expect.arrayContaining(['up', 'ps', 'images', 'deployments', 'simulate']));
  expect(offered('')).not.toContain('__complete');
  expect(offered('deployments', '')).toEqual(['list', 'show', 'watch', 'continue', 'rollback', 'stop']);
  expect(offered('explain', '')).toEqual([]);
});

test('commands that are loaded late are told as they are', () => {
  for (const { word } of late) expect(program.commands.map((one) => one.name())).toContain(word);
});

test('options, each once, and what they take', () => {
  expect(offered('ps', '--')).toEqual([
    '--cluster',
    '--services',
    '--all',
    '--host',
    '--status',
    '--watch',
    '--output',
    '--help',
  ]);
  expect(offered('ps', '--all', '--')).not.toContain('--all');
  expect(offered('ps', '--output', '')).toEqual(['text', 'json']);
  expect(offered('conformance', 'x', '--output', '')).toEqual(['text', 'json', 'junit']);
  expect(named('ps', '--cluster', '')).toBe('clusters');
  expect(named('tls', 'init', '--data', '')).toBe('files');
});

test('names, where an argument is one', () => {
  expect(named('explain', 'w')).toBe('services');
  expect(named('explain', 'web', '')).toBeUndefined();
  expect(named('deployments', 'watch', '')).toBe('services');
  expect(named('images', '')).toBe('repositories');
  expect(named('hosts', 'reclaim', '--cluster', 'prod', '')).toBe('hosts');
  expect(nextWords(program, ['hosts', 'reclaim', '--cluster', 'prod', ''])).toMatchObject({ cluster: 'prod' });
  expect(named('up', '')).toBe('files');
});

test.each(['bash', 'zsh', 'fish'])('a script for %s that calls this checkout', (shell) => {
  expect(completionScript(shell)).toContain('/bin/slipway');
});

test('no script for other shells', () => {
  expect(() => completionScript('cmd')).toThrow('bash, zsh and fish');
});
