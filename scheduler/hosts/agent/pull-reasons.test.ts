import { describe, expect, test } from 'vitest';

import { foreignReason } from './pull-reasons.ts';

const image = { host: 'a.b:5000', repository: 'web', tag: '1' };
const elsewhere =
  'the registry a.b:5000 could not be reached, or did not answer as a registry does; the log of the agent has what the engine said';

describe('why an image of another registry could not be pulled', () => {
  test.each([
    [
      "pull access denied for a.b:5000/web, repository does not exist or may require 'docker login': denied: SECRET",
      /^pull access denied for a.b:5000\/web, repository does not exist or may require 'docker login'$/,
    ],
    ['unauthorized: SECRET', /^pull access denied/],
    [
      'failed to resolve reference "a.b:5000/web:1": pull access denied, repository does not exist or may require authorization: server message: SECRET',
      /^pull access denied/,
    ],
    ['manifest for a.b:5000/web:1 not found: manifest unknown: SECRET', /^manifest for a.b:5000\/web:1 not found$/],
    [
      'failed to resolve reference "a.b:5000/web:1": a.b:5000/web:1: not found',
      /^manifest for a.b:5000\/web:1 not found$/,
    ],
    ['toomanyrequests: SECRET', /^toomanyrequests: the registry a.b:5000 limits/],
    ['no matching manifest for linux/amd64 in the manifest list entries', /has no manifest for the platform/],
    ['failed to register layer: write /SECRET: no space left on device', /^no space left on device$/],
    ['Get "https://a.b:5000/v2/": http: server gave HTTP response to HTTPS client', /answers plain HTTP/],
    [
      'failed to resolve reference "a.b:5000/web:1": failed to do request: Head "https://a.b:5000/v2/web/manifests/1": tls: failed to verify certificate: x509: certificate signed by SECRET',
      /does not trust the certificate of the registry a.b:5000$/,
    ],
  ])('%s', (said, reason) => {
    const told = foreignReason(image, said);
    expect(told).toMatch(reason);
    expect(told).not.toContain('SECRET');
  });

  test.each([
    'error parsing HTTP 403 response body: invalid character \'<\' looking for beginning of value: "<html>SECRET</html>"',
    'Get "http://10.0.0.1:6379/token?service=x": dial tcp 10.0.0.1:6379: connect: connection refused',
    'Get "https://10.0.0.1/": x509: certificate is valid for SECRET',
    'Get "https://10.0.0.1/v2/": http: server gave HTTP response to HTTPS client',
    'Get "http://10.0.0.1/v2/": x509: SECRET',
    'received unexpected HTTP status: 500 SECRET',
    'SECRET\npull access denied for x',
    '',
  ])('what a page, a realm or a redirect led to is not told, nor how it ended: %s', (said) => {
    expect(foreignReason(image, said)).toBe(elsewhere);
  });
});
