import { expect, test } from 'vitest';

import { variablesOf } from './environment-file.ts';

test('a file of variables is read as amazon-ecs-agent reads it', () => {
  const text = [
    '# A=comment',
    'A=1',
    'B = "two words" ',
    'C=a=b',
    'no equals sign',
    '=no name',
    '',
    'D=',
    '  E=spaces',
    'A=again\r',
    '__proto__=x',
    ' #F=no comment',
    'G=last',
  ].join('\n');
  expect([...variablesOf(text)]).toEqual([
    ['A', 'again'],
    ['B ', ' "two words" '],
    ['C', 'a=b'],
    ['D', ''],
    ['  E', 'spaces'],
    ['__proto__', 'x'],
    [' #F', 'no comment'],
    ['G', 'last'],
  ]);
});
