import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { canonicalPath, canonicalQuery, canonicalRequest, headerValues, stringToSign } from './canonical.ts';

const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const DATE = '20150830T123600Z';

/** The credentials, date and host of AWS's published Signature Version 4 test suite. */
function signature(
  method: string,
  target: string,
  headers: readonly string[],
  signed: string,
  payload = EMPTY,
): string {
  const at = target.indexOf('?');
  const [path, query] = at === -1 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)];
  const values = headerValues(['Host', 'example.amazonaws.com', ...headers, 'X-Amz-Date', DATE]);
  const canonical = canonicalRequest(method, path, query, values, signed.split(';'), payload) ?? '';
  let key: Buffer | string = 'AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
  for (const part of ['20150830', 'us-east-1', 'service', 'aws4_request'])
    key = createHmac('sha256', key).update(part).digest();
  return createHmac('sha256', key)
    .update(stringToSign(DATE, '20150830/us-east-1/service/aws4_request', canonical))
    .digest('hex');
}

const latin1 = (text: string): string => Buffer.from(text).toString('latin1');
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

describe('S13: the vectors of the published test suite', () => {
  const plain = 'host;x-amz-date';
  const one = 'host;my-header1;x-amz-date';
  test.each([
    ['get-vanilla', 'GET', '/', [], plain, EMPTY, '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    [
      'get-vanilla-query-order-key-case',
      'GET',
      '/?Param2=value2&Param1=value1',
      [],
      plain,
      EMPTY,
      'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    ],
    [
      'get-vanilla-utf8-query',
      'GET',
      latin1('/?ሴ=bar'),
      [],
      plain,
      EMPTY,
      '2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04',
    ],
    [
      'get-utf8',
      'GET',
      latin1('/ሴ'),
      [],
      plain,
      EMPTY,
      '8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85',
    ],
    [
      'get-unreserved',
      'GET',
      `/-._~0123456789${letters}`,
      [],
      plain,
      EMPTY,
      '07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f',
    ],
    [
      'get-slashes',
      'GET',
      '//example//',
      [],
      plain,
      EMPTY,
      '9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84',
    ],
    [
      'get-relative',
      'GET',
      '/example/..',
      [],
      plain,
      EMPTY,
      '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    ],
    [
      'get-space',
      'GET',
      '/example space/',
      [],
      plain,
      EMPTY,
      '652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741',
    ],
    [
      'get-header-value-trim',
      'GET',
      '/',
      ['My-Header1', ' value1', 'My-Header2', ' "a   b   c"'],
      'host;my-header1;my-header2;x-amz-date',
      EMPTY,
      'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
    ],
    [
      'get-header-key-duplicate',
      'GET',
      '/',
      ['My-Header1', 'value2', 'My-Header1', 'value2', 'My-Header1', 'value1'],
      one,
      EMPTY,
      'c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea',
    ],
    [
      'get-header-value-order',
      'GET',
      '/',
      ['My-Header1', 'value4', 'My-Header1', 'value1', 'My-Header1', 'value3', 'My-Header1', 'value2'],
      one,
      EMPTY,
      '08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01',
    ],
    ['post-vanilla', 'POST', '/', [], plain, EMPTY, '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
    [
      'post-header-key-sort',
      'POST',
      '/',
      ['My-Header1', 'value1'],
      one,
      EMPTY,
      'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
    ],
    [
      'post-x-www-form-urlencoded',
      'POST',
      '/',
      ['Content-Type', 'application/x-www-form-urlencoded'],
      'content-type;host;x-amz-date',
      '9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e',
      'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
    ],
  ] as const)('%s', (_name, method, target, headers, signed, payload, expected) => {
    expect(signature(method, target, headers, signed, payload)).toBe(expected);
  });
});

describe('the canonical query', () => {
  test('sorts by encoded name and then value, and keeps repeated and empty parameters', () => {
    expect(canonicalQuery('b=2&a=z&a=b&c&d=&B=1')).toBe('B=1&a=b&a=z&b=2&c=&d=');
  });
  test('takes + for a space, as Go sends it, and leaves a broken escape as it stands', () => {
    expect(canonicalQuery('v=DockerVersion%3A+20.10')).toBe('v=DockerVersion%3A%2020.10');
    expect(canonicalQuery('v=100%&w=%zz')).toBe('v=100%25&w=%25zz');
  });
  test('leaves only X-Amz-Signature out, however it is written', () => {
    expect(canonicalQuery('X-Amz-Signature=ab&X%2DAmz-Signature=cd&X-Amz-Signature2=e&a=1')).toBe(
      'X-Amz-Signature2=e&a=1',
    );
  });
});

describe('the canonical path', () => {
  test('S13: encodes what is encoded once more, and normalises', () => {
    expect(canonicalPath('/a%2Fb/./c//../d/')).toBe('/a%252Fb/d/');
    expect(canonicalPath('/../../etc')).toBe('/etc');
  });
});
