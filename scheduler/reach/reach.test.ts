import { AddressRule } from '@slipway/auth/outbound';
import { describe, expect, test } from 'vitest';

import {
  ImageRefused,
  type LogRule,
  refuseLogOptions,
  RegistryRule,
  RegistryUnresolved,
  settleLogOptions,
} from './index.ts';

const rule = (...allow: string[]): LogRule => ({ addresses: new AddressRule(allow), remedy: 'Open it.' });
const none = rule();
const home = rule('10.0.0.0/8', '127.0.0.1/32');

describe('F11: where log drivers are told to send to', () => {
  test.each<[string, Record<string, string>, RegExp]>([
    ['syslog', { 'syslog-address': 'udp://127.0.0.1:514' }, /names 127.0.0.1, which is private/],
    ['syslog', { 'syslog-address': 'tcp://localhost:6379' }, /names localhost, which is private/],
    ['syslog', { 'syslog-address': 'tcp://redis.localhost.:6379' }, /is private/],
    ['syslog', { 'syslog-address': 'tcp+tls://10.0.0.5' }, /is private/],
    ['syslog', { 'syslog-address': 'tcp://169.254.169.254:80' }, /is private/],
    ['syslog', { 'syslog-address': 'udp://[::1]:514' }, /names ::1, which is private/],
    ['syslog', { 'syslog-address': 'udp://[::ffff:127.0.0.1]:514' }, /is private/],
    ['syslog', { 'syslog-address': 'udp://[64:ff9b::a00:1]:514' }, /is private/],
    ['syslog', { 'syslog-address': 'unix:///var/run/docker.sock' }, /names a socket of the container instance/],
    ['syslog', { 'syslog-address': 'unixgram:///dev/log' }, /names a socket/],
    ['syslog', { 'syslog-address': 'UNIX:///x' }, /names a socket/],
    ['syslog', { 'syslog-address': 'http://93.184.215.14' }, /must be udp:\/\/ or tcp:\/\/ or tcp\+tls:\/\//],
    ['syslog', { 'syslog-address': 'udp://' }, /with a host and a port/],
    ['syslog', { 'syslog-address': 'udp://user@93.184.215.14:514' }, /with a host and a port/],
    ['syslog', { 'syslog-address': 'udp://93.184.215.14:514/../x' }, /with a host and a port/],
    ['syslog', { 'syslog-address': 'udp://93.184.215.14:514#@127.0.0.1' }, /with a host and a port/],
    ['syslog', { 'syslog-address': 'udp://93.184.215.14:70000' }, /with a host and a port/],
    ['syslog', { 'syslog-address': 'udp://2130706433:514' }, /neither an address nor a name/],
    ['syslog', { 'syslog-address': 'udp://0177.0.0.1:514' }, /neither an address nor a name/],
    ['syslog', { 'syslog-address': 'udp://127.1:514' }, /neither an address nor a name/],
    ['syslog', { 'syslog-address': 'udp://0x7f000001' }, /neither an address nor a name/],
    ['syslog', { 'syslog-tls-ca-cert': '/etc/shadow' }, /names a file of the container instance/],
    ['syslog', { 'syslog-tls-key': '/root/.ssh/id_rsa' }, /names a file/],
    ['gelf', { 'gelf-address': 'udp://192.168.1.1:12201' }, /is private/],
    ['fluentd', { 'fluentd-address': '127.0.0.1:6379' }, /is private/],
    ['fluentd', { 'fluentd-address': 'tls://10.1.1.1:24224' }, /is private/],
    ['fluentd', { 'fluentd-address': ':6379' }, /with a host and a port/],
    ['fluentd', { 'fluentd-address': 'unix:///var/run/docker.sock' }, /names a socket/],
    ['splunk', { 'splunk-url': 'http://127.0.0.1:2375' }, /is private/],
    ['splunk', { 'splunk-url': 'https://93.184.215.14/services' }, /with a host and a port/],
    ['splunk', { 'splunk-capath': '/etc/shadow' }, /names a file/],
    ['awslogs', { 'awslogs-endpoint': 'http://169.254.170.2' }, /is private/],
    ['awslogs', { 'awslogs-credentials-endpoint': '/v2/credentials/other' }, /not for task definitions/],
    ['awslogs', { 'awslogs-region': 'x.evil.example/#' }, /must be a region/],
    ['awslogs', { labels: 'a,b' }, /has no option 'labels'/],
    ['json-file', { 'syslog-address': 'udp://93.184.215.14' }, /has no option 'syslog-address'/],
    ['gelf', { 'sumo-url': 'http://127.0.0.1' }, /has no option 'sumo-url'/],
    ['sumologic', {}, /is not one of/],
    ['constructor', {}, /is not one of/],
  ])('%s %j is refused', (driver, options, reason) => {
    expect(refuseLogOptions(driver, options, none)).toMatch(reason);
  });

  test.each<[string, Record<string, string>]>([
    ['syslog', {}],
    ['syslog', { 'syslog-address': 'udp://93.184.215.14:514', tag: '{{.Name}}/{{.ID}}' }],
    ['syslog', { 'syslog-address': 'tcp+tls://logs.example.com:6514', 'syslog-facility': 'daemon' }],
    ['gelf', { 'gelf-address': 'udp://graylog.example.com:12201', labels: 'a,b', mode: 'non-blocking' }],
    ['fluentd', { 'fluentd-address': 'logs.example.com:24224', 'fluentd-async': 'true' }],
    ['fluentd', { tag: 'web' }],
    ['splunk', { 'splunk-url': 'https://splunk.example.com:8088', 'splunk-token': 'x' }],
    ['awslogs', { 'awslogs-group': 'a', 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': 'b' }],
    ['json-file', { 'max-size': '1m', 'max-file': '3' }],
    ['journald', { tag: 'x', env: 'A' }],
    ['awslogs', { 'awslogs-group': 'a', tag: '{{.Name}}', mode: 'non-blocking', 'max-buffer-size': '25m' }],
  ])('%s %j is taken', (driver, options) => {
    expect(refuseLogOptions(driver, options, none)).toBeUndefined();
  });

  test('an opened range is open, and metadata addresses stay closed in every one', () => {
    expect(refuseLogOptions('gelf', { 'gelf-address': 'udp://10.1.2.3:12201' }, home)).toBeUndefined();
    expect(refuseLogOptions('gelf', { 'gelf-address': 'udp://localhost:12201' }, home)).toBeUndefined();
    expect(refuseLogOptions('gelf', { 'gelf-address': 'udp://192.168.0.1:1' }, home)).toMatch(/is private/);
    const all = rule('0.0.0.0/0', '::/0');
    for (const address of ['169.254.169.254', '169.254.170.2', '[fd00:ec2::254]', '[::ffff:169.254.169.254]'])
      expect(refuseLogOptions('gelf', { 'gelf-address': `udp://${address}:1` }, all)).toMatch(/is private/);
  });

  test('a name is resolved when the container is created, and all its addresses must be open', async () => {
    const settle = (options: Record<string, string>, answers: string[], logs = none, driver = 'gelf') =>
      settleLogOptions(driver, options, { logs, resolve: async () => answers });
    const named = { 'gelf-address': 'udp://logs.example:12201', tag: 't' };
    expect(await settle(named, ['93.184.215.14'])).toEqual({ 'gelf-address': 'udp://93.184.215.14:12201', tag: 't' });
    expect(await settle(named, ['2606:4700::1111'])).toMatchObject({ 'gelf-address': 'udp://[2606:4700::1111]:12201' });
    await expect(settle(named, ['93.184.215.14', '127.0.0.1'])).rejects.toThrow(
      'resolves to 127.0.0.1, which is private',
    );
    await expect(settle(named, ['::ffff:10.0.0.1'])).rejects.toThrow('which is private');
    await expect(settle(named, [])).rejects.toThrow(
      "'logs.example' of the log option 'gelf-address' cannot be resolved",
    );
    await expect(settle({ 'gelf-address': 'udp://127.0.0.1:1' }, [])).rejects.toThrow('is private');
    expect(await settle(named, ['10.0.0.9'], home)).toMatchObject({ 'gelf-address': 'udp://10.0.0.9:12201' });
    // Certificates are for names: only the answers are checked.
    const tls = { 'fluentd-address': 'tls://logs.example:24224' };
    expect(await settle(tls, ['93.184.215.14'], none, 'fluentd')).toEqual(tls);
    await expect(settle(tls, ['10.0.0.1'], none, 'fluentd')).rejects.toThrow('which is private');
    expect(await settle({ 'fluentd-address': 'logs.example:1' }, ['93.184.215.14'], none, 'fluentd')).toEqual({
      'fluentd-address': 'tcp://93.184.215.14:1',
    });
    expect(await settle({ tag: 'x' }, [], none, 'json-file')).toEqual({ tag: 'x' });
  });
});

describe('F11: which registries images come from', () => {
  const registries = (settings: { names?: readonly string[]; allow?: readonly string[] } = {}): RegistryRule =>
    new RegistryRule({
      registries: settings.names,
      addresses: new AddressRule(settings.allow ?? []),
      remedies: { unnamed: 'Name it.', closed: 'Open it.' },
    });
  const own = (registry: string): boolean => ['127.0.0.1:7500', 'registry.lan:7500'].includes(registry);

  test.each([
    'busybox',
    'library/busybox:1',
    'docker.io/library/busybox',
    'quay.io/x/y@sha256:00',
    'GHCR.io/me/web',
    '93.184.215.14:5000/web',
    '[2606:4700::1111]/web',
    'registry:5000/web',
    '127.0.0.1:7500/web',
    'registry.lan:7500/web',
  ])('%s is open', (image) => {
    expect(registries().refuse(image, own)).toBeUndefined();
  });

  test.each([
    '127.0.0.1:9991/x/y',
    '127.0.0.1:7501/w',
    '127.0.0.2:7500/w',
    'localhost/web',
    'localhost:7500/web',
    'LocalHost:5000/web',
    'web.localhost:5000/x',
    '10.0.0.1/web',
    '192.168.1.5:5000/web',
    '100.64.0.1/web',
    '0.0.0.0:80/web',
    '[::1]:5000/web',
    '[::ffff:127.0.0.1]:5000/web',
    '[fd00::1]/web',
    '[64:ff9b::a00:1]/web',
  ])('%s is private, and closed unless its range is opened', (image) => {
    expect(registries().refuse(image, own)).toMatch(/^The image '.*' is on .*, which is private. Open it.$/);
    expect(registries({ allow: ['0.0.0.0/0', '::/0'] }).refuse(image, own)).toBeUndefined();
  });

  test('no others than those that are named, and these wherever they are', () => {
    const some = registries({ names: ['ghcr.io', '*.Example.com', 'registry-1.docker.io', '192.168.1.5:5000'] });
    for (const image of [
      'busybox',
      'GHCR.io/me/web',
      'a.example.com:5000/web',
      '192.168.1.5:5000/x',
      '127.0.0.1:7500/w',
    ])
      expect(some.refuse(image, own)).toBeUndefined();
    for (const image of [
      'quay.io/x',
      'example.com/x',
      'evilexample.com/x',
      'ghcr.io:443/x',
      '192.168.1.5/x',
      '127.0.0.1:7501/w',
    ])
      expect(some.refuse(image, own)).toMatch(/a registry that tasks may not pull from. Name it.$/);
  });

  test('metadata addresses and disguised numbers are no registries, whatever is set', () => {
    const all = registries({ allow: ['0.0.0.0/0', '::/0'], names: ['169.254.169.254'] });
    for (const host of [
      '169.254.169.254',
      '169.254.170.2:80',
      '[fd00:ec2::254]',
      '2852039166:80',
      '0251.0376.0251.0376',
    ])
      expect(all.refuse(`${host}/x`, () => true)).toMatch(/which is no registry/);
  });

  test('names are resolved before a pull, and every answer is checked', async () => {
    const asked: string[] = [];
    const settle = (image: string, answers: readonly string[], rule = registries()): Promise<void> =>
      rule.settle(image, {
        own,
        resolve: async (host) => {
          asked.push(host);
          return answers;
        },
      });
    await settle('Registry:5000/web', ['93.184.215.14', '2606:4700::1111']);
    expect(asked).toEqual(['registry']);
    for (const answer of ['127.0.0.1', '10.0.0.1', '::1', '::ffff:10.0.0.1', '169.254.169.254', 'nonsense']) {
      const closed = settle('a.b/web', ['93.184.215.14', answer]);
      await expect(closed).rejects.toThrow(ImageRefused);
      await expect(closed).rejects.toThrow(
        "The image 'a.b/web' is on a.b, which resolves to a private address. Open it.",
      );
    }
    await expect(settle('a.b/web', [])).rejects.toThrow(RegistryUnresolved);
    await settle('a.b/web', ['10.0.0.1'], registries({ allow: ['10.0.0.0/8'] }));
    await expect(settle('127.0.0.1:1/web', [])).rejects.toThrow(ImageRefused);
    asked.length = 0;
    await settle('busybox', ['10.0.0.1']);
    await settle('93.184.215.14/web', []);
    await settle('registry.lan:7500/web', ['10.0.0.1']);
    await settle('r.example.com/web', ['10.0.0.1'], registries({ names: ['*.example.com'] }));
    expect(asked).toEqual([]);
  });
});
