import { describe, expect, it } from 'vitest';
import { cpuOf, interpolate, mebibytesOf, portOf, secondsOf, wordsOf } from './values.ts';

describe('values of Compose files', () => {
  it.each([
    ['10s', 10],
    ['1m30s', 90],
    ['1h', 3600],
    ['1.5s', 2],
    ['500ms', 1],
    ['10', undefined],
    ['', undefined],
    ['-1s', undefined],
  ])('the duration %j', (text, value) => {
    expect(secondsOf(text)).toBe(value);
  });

  it.each([
    ['512m', 512],
    ['1g', 1024],
    ['1.5GB', 1536],
    ['64MiB', 64],
    ['1048576', 1],
    ['1k', 1],
    ['much', undefined],
  ])('the memory %j', (text, value) => {
    expect(mebibytesOf(text)).toBe(value);
  });

  it.each([
    ['0.5', 512],
    ['2', 2048],
    ['0.0001', 1],
    ['0', undefined],
    ['x', undefined],
  ])('the CPUs %j', (text, value) => {
    expect(cpuOf(text)).toBe(value);
  });

  it.each([
    ['a b  c', ['a', 'b', 'c']],
    [`a 'b c' "d e"f`, ['a', 'b c', 'd ef']],
    [String.raw`a\ b "c\"d" "e\n" 'f\n'`, ['a b', 'c"d', String.raw`e\n`, String.raw`f\n`]],
    [`'' ""`, ['', '']],
    ['', []],
    [`a 'b`, undefined],
    ['a \\', undefined],
  ])('the command %j', (text, words) => {
    expect(wordsOf(text)).toEqual(words);
  });

  it.each([
    ['80', { target: '80', protocol: 'tcp' }],
    ['8080:80', { published: '8080', target: '80', protocol: 'tcp' }],
    ['53:53/udp', { published: '53', target: '53', protocol: 'udp' }],
    ['127.0.0.1:8080:80', { address: '127.0.0.1', published: '8080', target: '80', protocol: 'tcp' }],
    ['[::1]::80', { address: '[::1]', target: '80', protocol: 'tcp' }],
    ['a:80', undefined],
  ])('the port %j', (text, port) => {
    expect(portOf(text)).toEqual(port);
  });

  it.each([
    ['$A ${A}', 'a a', []],
    ['$$A', '$A', []],
    ['${E:-b} ${E-b} ${N:-b} ${N-b}', 'b  b b', []],
    ['${A:+x}${E:+x}${E+y}', 'xy', []],
    ['$N', '', ['the variable N is not set: set it, put it into .env, or write ${N:-}']],
    ['${E:?why}', '', ['the variable E is not set: why']],
    ['${A', '${A', ['has a $ that begins no variable: $$ stands for a dollar sign']],
    ['5$', '5$', ['has a $ that begins no variable: $$ stands for a dollar sign']],
  ])('variables in %j', (text, value, refused) => {
    const said: string[] = [];
    expect(interpolate(text, { A: 'a', E: '' }, (why) => said.push(why))).toBe(value);
    expect(said).toEqual(refused);
  });
});
