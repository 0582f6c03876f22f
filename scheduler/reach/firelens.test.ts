import { describe, expect, test } from 'vitest';

import { firelensBuffer, refuseRouted, refuseRouter } from './index.ts';

describe('a log router', () => {
  test.each([
    ['fluentbit', {}],
    ['fluentd', { 'enable-ecs-log-metadata': 'false' }],
    ['fluentbit', { 'config-file-type': 'file', 'config-file-value': '/fluent-bit/configs/parse-json.conf' }],
    ['fluentbit', { 'config-file-type': 'file', 'config-file-value': '/extra/*.conf' }],
    ['fluentd', { 'config-file-type': 's3', 'config-file-value': 'arn:aws:s3:::my-bucket/deep/fluent.conf' }],
  ])('%s %o', (type, options) => {
    expect(refuseRouter(type, options)).toBeUndefined();
  });

  test.each([
    ['vector', {}, /type of a log router is one of fluentbit, fluentd/],
    [undefined, {}, /one of fluentbit, fluentd/],
    ['constructor', {}, /one of fluentbit, fluentd/],
    ['fluentbit', { 'enable-ecs-log-metadata': 'yes' }, /true or false/],
    ['fluentbit', { other: 'x' }, /no option 'other'/],
    ['fluentbit', { 'config-file-type': 's3', 'config-file-value': '/x' }, /ARN of an object/],
    ['fluentbit', { 'config-file-type': 's3', 'config-file-value': 'arn:aws:s3:::bucket' }, /ARN of an object/],
    ['fluentbit', { 'config-file-type': 's3', 'config-file-value': 'arn:aws:s3:::bucket/a\nb' }, /ARN of an object/],
    ['fluentbit', { 'config-file-type': 's3' }, /go together/],
    ['fluentbit', { 'config-file-type': 'http', 'config-file-value': '/x' }, /cannot be 'http'/],
    ['fluentbit', { 'config-file-type': 'file' }, /go together/],
    ['fluentbit', { 'config-file-value': '/x' }, /go together/],
    ['fluentbit', { 'config-file-type': 'file', 'config-file-value': 'x.conf' }, /absolute path/],
    ['fluentbit', { 'config-file-type': 'file', 'config-file-value': '/x\n[OUTPUT]' }, /absolute path/],
    ['fluentd', { 'config-file-type': 'file', 'config-file-value': '/x y' }, /absolute path/],
  ])('%s %o is refused', (type, options, why) => {
    expect(refuseRouter(type, options as Record<string, string>)).toMatch(why);
  });
});

describe('what is written into the configuration of a router', () => {
  test.each([
    ['fluentbit', {}, []],
    ['fluentbit', { Name: 'datadog', 'tls.verify': 'on', Match: '*', dd_tags: 'a:b,c:d # not a comment' }, ['apikey']],
    ['fluentbit', { Name: 'cloudwatch', log_key: '$log', uri: '${URI}' }, []],
    ['fluentbit', { 'include-pattern': '^[45]\\d\\d', 'exclude-pattern': '[INFO]' }, []],
    ['fluentbit', { Name: 'stdout', 'log-driver-buffer-limit': '536870911' }, []],
    ['fluentd', { '@type': 'kinesis', '@log_level': 'warn', format: '{"a": [1]}', list: '["a"]' }, ['secret_key']],
  ])('%s %o %o', (type, options, secrets) => {
    expect(refuseRouted(type, options as unknown as Record<string, string>, secrets)).toBeUndefined();
  });

  test.each([
    // Everything that could begin another line, or another section.
    ...['\n', '\r', '\r\n[OUTPUT]\n', '\0', '\u2028', '\v', '\f', '\u0085', '\t'].map(
      (end) => ['fluentbit', { Name: 'stdout', uri: `a${end}b` }, [], /'uri' has a line break/] as const,
    ),
    ['fluentbit', { Name: 'null\n[OUTPUT]\n    Name exec' }, [], /'Name' has a line break/],
    ['fluentbit', { 'include-pattern': 'x\n[FILTER]' }, [], /'include-pattern' has a line break/],
    ['fluentbit', { Name: 'stdout', 'a\n[OUTPUT]': 'x' }, [], /no name of an option of fluentbit/],
    ['fluentbit', { Name: 'stdout', '[OUTPUT]': 'x' }, [], /no name of an option/],
    ['fluentbit', { Name: 'stdout', '@INCLUDE': '/etc/passwd' }, [], /no name of an option/],
    ['fluentbit', { Name: 'stdout', '@SET': 'a=b' }, [], /no name of an option/],
    ['fluentbit', { Name: 'stdout', '#': 'x' }, [], /no name of an option/],
    ['fluentbit', { Name: 'stdout', 'a b': 'x' }, [], /no name of an option/],
    ['fluentbit', { Name: 'stdout', '': 'x' }, [], /no name of an option/],
    ['fluentbit', { Name: 'stdout', uri: '' }, [], /'uri' has no value/],
    ['fluentd', { '@type': 'stdout', '</match>': 'x' }, [], /no name of an option of fluentd/],
    ['fluentd', { '@type': 'stdout', '<buffer>': 'x' }, [], /no name of an option/],
    ['fluentd', { '@type': 'stdout', '@include': '/etc/passwd' }, [], /no name of an option/],
    // Fluentd reads quoted texts, lists and objects on over the end of a line.
    ['fluentd', { '@type': 'stdout', format: '"a' }, [], /begins with " and does not end/],
    ['fluentd', { '@type': 'stdout', format: '"a\\"' }, [], /does not end/],
    ['fluentd', { '@type': 'stdout', format: " '" }, [], /does not end/],
    ['fluentd', { '@type': 'stdout', list: '["a"' }, [], /does not end/],
    ['fluentd', { '@type': 'stdout', record: '{"a"' }, [], /does not end/],
    ['fluentbit', { region: 'us-east-1' }, [], /'Name' is missing/],
    ['fluentd', { Name: 'x' }, [], /'@type' is missing/],
    ['fluentbit', {}, ['apikey'], /'Name' is missing/],
    ['fluentbit', { Name: 'x' }, ['Name'], /cannot be one of 'secretOptions'/],
    ['fluentbit', { Name: 'x' }, ['include-pattern'], /cannot be one of 'secretOptions'/],
    ['fluentbit', { Name: 'x' }, ['api key'], /in 'secretOptions' is no name/],
    ['fluentbit', { Name: 'x' }, ['key=1'], /in 'secretOptions' is no name/],
    ['fluentbit', { Name: 'x', 'log-driver-buffer-limit': '-1' }, [], /from 0 to 536870911/],
    ['fluentbit', { Name: 'x', 'log-driver-buffer-limit': '536870912' }, [], /from 0 to 536870911/],
    ['fluentbit', { Name: 'x', 'log-driver-buffer-limit': '1e3' }, [], /from 0 to 536870911/],
  ] as const)('%s %o %o is refused', (type, options, secrets, why) => {
    expect(refuseRouted(type, options as unknown as Record<string, string>, secrets)).toMatch(why);
  });
});

test.each([
  [{}, '4096'],
  [{ 'log-driver-buffer-limit': '0' }, '0'],
  [{ 'log-driver-buffer-limit': '8192' }, '8192'],
  [{ 'log-driver-buffer-limit': '2097152' }, '65536'],
])('of %o lines that wait for a router, an engine holds %s', (options, held) => {
  expect(firelensBuffer(options)).toBe(held);
});
