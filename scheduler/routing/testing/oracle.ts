import type { Condition, HttpListener, Rule } from '../desired-state.ts';
import type { RequestHead } from '../request.ts';

/** Which rule a request comes to, worked out the slow way: rule by rule, by definition, with none of the product's own pieces. */
export function slowRule(request: RequestHead, listener: HttpListener): Rule | undefined {
  return listener.rules.find(({ conditions }) => conditions.every((condition) => holds(condition, request)));
}

function holds(condition: Condition, request: RequestHead): boolean {
  switch (condition.kind) {
    case 'host-header':
      return anyFits(condition, request.host.toLowerCase().replace(/:\d*$/, ''), 'i');
    case 'path-pattern':
      return anyFits(condition, slowPath(request.path), '');
    case 'http-header':
      return request.header(condition.name.toLowerCase()).some((value) => anyFits(condition, value, 'i'));
    case 'http-request-method':
      return condition.values.includes(request.method);
    case 'query-string': {
      const pairs = request.query.split('&').filter(Boolean);
      return condition.values.some(({ key = '*', value }) =>
        pairs.some((pair) => {
          const [name = '', ...rest] = pair.split('=');
          return slowFits(key, name, 'i') && slowFits(value, rest.join('='), 'i');
        }),
      );
    }
    case 'source-ip':
      return condition.values.some((block) => {
        const [address = '', bits = ''] = block.split('/');
        const size = 2 ** (32 - Number(bits));
        return Math.floor(numberOf(address) / size) === Math.floor(numberOf(request.peer) / size);
      });
  }
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function anyFits(
  { values, regexValues }: { values: readonly string[]; regexValues: readonly string[] },
  text: string,
  flags: string,
): boolean {
  return (
    values.some((value) => slowFits(value, text, flags)) ||
    regexValues.some((value) => new RegExp(value, flags).test(text))
  );
}

/** By trying every length for every star. */
export function slowFits(pattern: string, text: string, flags: string): boolean {
  if (flags === 'i') return slowFits(pattern.toLowerCase(), text.toLowerCase(), '');
  if (pattern === '') return text === '';
  if (pattern.startsWith('*')) {
    for (let length = 0; length <= text.length; length++)
      if (slowFits(pattern.slice(1), text.slice(length), '')) return true;
    return false;
  }
  return (
    text !== '' && (pattern.startsWith('?') || pattern[0] === text[0]) && slowFits(pattern.slice(1), text.slice(1), '')
  );
}

/** RFC 3986, 6.2.2 and 5.2.4, step by step as they are written. */
export function slowPath(path: string): string {
  let input = '';
  for (let i = 0; i < path.length; i++) {
    const escape = /^%[0-9a-f]{2}/i.exec(path.slice(i))?.[0];
    if (escape === undefined) {
      input += path[i]!;
      continue;
    }
    const char = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    input += /[\w.~-]/.test(char) ? char : escape.toUpperCase();
    i += 2;
  }
  let output = '';
  while (input !== '') {
    if (input.startsWith('/./')) input = input.slice(2);
    else if (input === '/.') input = '/';
    else if (input.startsWith('/../') || input === '/..') {
      input = input === '/..' ? '/' : input.slice(3);
      output = output.slice(0, Math.max(0, output.lastIndexOf('/')));
    } else {
      const segment = /^\/?[^/]*/.exec(input)![0];
      output += segment;
      input = input.slice(segment.length);
    }
  }
  return output;
}
