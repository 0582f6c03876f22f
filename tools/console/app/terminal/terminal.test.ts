import type { Terminal } from '@xterm/headless';
import { expect, test } from 'vitest';
import { type Key, pasted, sequenceOf } from './keys.ts';
import { openScreen, runsOf, Writer } from './screen.ts';

const key = (name: string, ...held: readonly ('ctrlKey' | 'altKey' | 'shiftKey' | 'metaKey')[]): Key => ({
  key: name,
  ctrlKey: held.includes('ctrlKey'),
  altKey: held.includes('altKey'),
  shiftKey: held.includes('shiftKey'),
  metaKey: held.includes('metaKey'),
});

test('keys are what xterm sends for them; characters, and what is the browser’s, are left alone', () => {
  const sent = (one: Key, application = false): string | undefined => sequenceOf(one, application);
  expect(sent(key('ArrowUp'))).toBe('\u001b[A');
  expect(sent(key('ArrowUp'), true)).toBe('\u001bOA');
  expect(sent(key('ArrowLeft', 'ctrlKey'), true)).toBe('\u001b[1;5D');
  expect(sent(key('Delete'))).toBe('\u001b[3~');
  expect(sent(key('F5', 'shiftKey'))).toBe('\u001b[15;2~');
  expect(sent(key('F1'))).toBe('\u001bOP');
  expect([sent(key('Tab')), sent(key('Tab', 'shiftKey'))]).toEqual(['\t', '\u001b[Z']);
  expect([sent(key('Enter')), sent(key('Backspace')), sent(key('Enter', 'altKey'))]).toEqual([
    '\r',
    '\u007f',
    '\u001b\r',
  ]);
  expect([sent(key('c', 'ctrlKey')), sent(key('D', 'ctrlKey')), sent(key(' ', 'ctrlKey'))]).toEqual([
    '\u0003',
    '\u0004',
    '\u0000',
  ]);
  expect(sent(key('b', 'altKey'))).toBe('\u001bb');
  for (const others of [
    key('a'),
    key('ä'),
    key('C', 'ctrlKey', 'shiftKey'),
    key('v', 'metaKey'),
    key('Shift', 'shiftKey'),
    key('AudioVolumeUp'),
    key('constructor', 'ctrlKey'),
  ])
    expect([others.key, sent(others)]).toEqual([others.key, undefined]);
});

test('what is pasted types nothing but itself', () => {
  expect(pasted('one\r\ntwo\n', false)).toBe('one\rtwo\r');
  // The end of the brackets within a text would let what follows be typed.
  expect(pasted('x\u001b[201~rm -rf /\n', true)).toBe('\u001b[200~x[201~rm -rf /\r\u001b[201~');
});

const shows = async (text: string): Promise<Terminal> => {
  const screen = openScreen(20, 5);
  await new Promise<void>((resolve) => screen.write(text, resolve));
  return screen;
};

test('what programs write becomes runs of text by how they look, with the cursor by itself', async () => {
  const screen = await shows('a\u001b[1;31mb\u001b[0m\u001b[48;5;196mc\u001b[38;2;1;2;3md\u001b[0m 世\r\n$ ');
  const { active } = screen.buffer;
  expect(runsOf(active, 0, undefined)).toEqual([
    { text: 'a', look: '' },
    { text: 'b', look: 'bold f1' },
    { text: 'c', look: '', paper: 'rgb(255 0 0)' },
    { text: 'd', look: '', ink: '#010203', paper: 'rgb(255 0 0)' },
    { text: ' 世', look: '' },
  ]);
  expect(runsOf(active, 1, active.cursorX)).toEqual([
    { text: '$ ', look: '' },
    { text: ' ', look: 'cursor' },
  ]);
  expect(runsOf(active, 2, undefined)).toEqual([]);
  expect(runsOf(active, 99, undefined)).toEqual([]);
  screen.dispose();
});

test('sequences that would do something to a terminal do nothing here', async () => {
  const screen = await shows(
    '\u001b]0;title\u0007\u001b]52;c;aGk=\u0007\u001b]8;;javascript:alert(1)\u0007link\u001b]8;;\u0007',
  );
  expect(runsOf(screen.buffer.active, 0, undefined).map(({ text }) => text)).toEqual(['link']);
  screen.dispose();
});

test('what is not parsed yet leaves no room for more, until it is', async () => {
  const screen = openScreen(80, 24);
  const writer = new Writer(screen);
  expect(writer.hasRoom).toBe(true);
  await new Promise<void>((resolve) => {
    writer.write(new Uint8Array(1024 * 1024).fill(65), resolve);
    expect(writer.hasRoom).toBe(false);
  });
  expect(writer.hasRoom).toBe(true);
  screen.dispose();
});
