import { BlockList, isIP } from 'node:net';
import type { Condition } from './desired-state.ts';
import { compilePattern, finds } from './patterns/automaton.ts';
import { bytesOf, type TextTest, wildcardTest } from './patterns/wildcard.ts';
import type { RequestHead } from './request.ts';

/** A request with what several conditions look at worked out once. */
export interface Subject {
  readonly request: RequestHead;
  readonly host: string;
  readonly path: string;
}

export type ConditionTest = (subject: Subject) => boolean;

const ignoringCase = { ignoreCase: true };
const withCase = { ignoreCase: false };

/**
 * Compiles a condition. @throws PatternError for a regular expression outside the subset; TypeError for an address block that is none.
 */
export function conditionTest(condition: Condition): ConditionTest {
  switch (condition.kind) {
    case 'host-header': {
      const test = textTest(condition, ignoringCase);
      return ({ host }) => test(host);
    }
    case 'path-pattern': {
      const test = textTest(condition, withCase);
      return ({ path }) => test(path);
    }
    case 'http-header': {
      const test = textTest(condition, ignoringCase);
      const name = condition.name.toLowerCase();
      return ({ request }) => request.header(name).some(test);
    }
    case 'http-request-method': {
      const methods = new Set(condition.values);
      return ({ request }) => methods.has(request.method);
    }
    case 'query-string': {
      const tests = condition.values.map(({ key, value }) => ({
        key: key === undefined ? () => true : wildcardTest(key, ignoringCase),
        value: wildcardTest(value, ignoringCase),
      }));
      return ({ request }) =>
        request.query !== '' &&
        parametersOf(request.query).some(([key, value]) => tests.some((test) => test.key(key) && test.value(value)));
    }
    case 'source-ip': {
      const blocks = blockList(condition.values);
      return ({ request }) => isWithin(blocks, request.peer);
    }
  }
}

function textTest(
  { values, regexValues }: { readonly values: readonly string[]; readonly regexValues: readonly string[] },
  options: { readonly ignoreCase: boolean },
): TextTest {
  const tests = [
    ...values.map((value) => wildcardTest(value, options)),
    ...regexValues.map((pattern): TextTest => {
      const automaton = compilePattern(pattern, options);
      return (text) => finds(automaton, text);
    }),
  ];
  if (tests.length === 1) return tests[0]!;
  return (text) => tests.some((test) => test(text));
}

/** Parameters of a query as they are written, not decoded; one without `=` has an empty value, and empty ones are none. */
export function parametersOf(query: string): readonly (readonly [string, string])[] {
  return query
    .split('&')
    .filter((parameter) => parameter !== '')
    .map((parameter) => {
      const equals = parameter.indexOf('=');
      return equals === -1 ? [parameter, ''] : [parameter.slice(0, equals), parameter.slice(equals + 1)];
    });
}

/** Blocks by family: in one list `::/0` would hold every IPv4 address too. */
export interface AddressBlocks {
  readonly ipv4: BlockList;
  readonly ipv6: BlockList;
}

/** Blocks of addresses. @throws TypeError for one that is none. */
export function blockList(blocks: readonly string[]): AddressBlocks {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const block of blocks) {
    const [address = '', bits = '', ...rest] = block.split('/');
    const version = isIP(address);
    if (version === 0 || rest.length > 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (version === 4 ? 32 : 128)) {
      throw new TypeError(`${JSON.stringify(block)} is not a block of addresses such as 10.0.0.0/8`);
    }
    const family = version === 4 ? 'ipv4' : 'ipv6';
    lists[family].addSubnet(address, Number(bits), family);
  }
  return lists;
}

/** Whether an address lies in one of the blocks; an IPv4 address that comes over an IPv6 socket counts as what it is. */
export function isWithin(blocks: AddressBlocks, address: string): boolean {
  const plain = bytesOf(address).replace(/^::ffff:(?=\d+\.)/i, '');
  const family = isIP(plain) === 4 ? 'ipv4' : 'ipv6';
  return isIP(plain) !== 0 && blocks[family].check(plain, family);
}
