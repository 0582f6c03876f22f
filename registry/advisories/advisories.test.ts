import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { zipOf } from '../scanning/testing/databases.ts';
import {
  type Advisories,
  matchPackages,
  openAdvisories,
  type Package,
  severityOfScore,
  updateAdvisories,
  UpdateFailed,
} from './index.ts';
import { affects } from './match.ts';
import { scoreOf } from './severity.ts';
import { comparatorOf } from './versions/compare.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-advisories-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const freshFile = (): string => join(folder, `${++files}.sqlite`);

const record = (id: string, ecosystem: string, name: string, fixed: string, extra: object = {}) => ({
  id,
  modified: '2026-01-02T00:00:00Z',
  summary: `about ${name}`,
  affected: [
    { package: { ecosystem, name }, ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed }] }] },
  ],
  ...extra,
});

const critical = { severity: [{ type: 'CVSS_V3', score: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H' }] };
const pack = (ecosystem: string, name: string, version: string, more: Partial<Package> = {}): Package => ({
  type: 'deb',
  ecosystem,
  name,
  version,
  ...more,
});

async function advisoriesOf(...records: object[]): Promise<Advisories> {
  const source = join(folder, `source-${++files}`);
  mkdirSync(source);
  for (const [at, value] of records.entries()) writeFileSync(join(source, `${at}.json`), JSON.stringify(value));
  const file = freshFile();
  await updateAdvisories({ file, sources: [source], now: 1000 });
  return openAdvisories(file);
}

const found = async (advisories: Advisories, ...packages: Package[]) =>
  (await matchPackages(advisories, packages)).matches.map(
    (match) => `${match.advisory.name} ${match.package.name} ${match.severity} ${match.fixedIn ?? '-'}`,
  );

describe('matching', () => {
  test('a source package is what a Debian advisory names, with the source version', async () => {
    const advisories = await advisoriesOf(
      record('DEBIAN-CVE-2024-1', 'Debian:12', 'openssl', '3.0.15-1~deb12u1', {
        upstream: ['CVE-2024-11111'],
        ...critical,
      }),
    );
    const libssl = (version: string) => pack('Debian:12', 'libssl3', version, { source: { name: 'openssl', version } });
    expect(await found(advisories, libssl('3.0.11-1~deb12u2'))).toEqual([
      'CVE-2024-11111 libssl3 CRITICAL 3.0.15-1~deb12u1',
    ]);
    expect(await found(advisories, libssl('3.0.15-1~deb12u1'))).toEqual([]);
    expect(
      await found(advisories, pack('Debian:11', 'libssl3', '1', { source: { name: 'openssl', version: '1' } })),
    ).toEqual([]);
    advisories.close();
  });

  test('one vulnerability in several databases is reported once, by the worst that is said of it', async () => {
    const advisories = await advisoriesOf(
      record('GHSA-aaaa', 'PyPI', 'Jinja2', '3.1.3', {
        aliases: ['CVE-2024-22222'],
        database_specific: { severity: 'MODERATE' },
      }),
      record('PYSEC-2024-1', 'PyPI', 'jinja2', '3.1.3', { aliases: ['CVE-2024-22222'], ...critical }),
    );
    expect(await found(advisories, pack('PyPI', 'jinja2', '3.1.2', { type: 'pypi' }))).toEqual([
      'CVE-2024-22222 jinja2 CRITICAL 3.1.3',
    ]);
    advisories.close();
  });

  test('an ecosystem without advisories is named, not passed over in silence', async () => {
    const advisories = await advisoriesOf(record('A-1', 'npm', 'x', '1.0.0'));
    const { unknownEcosystems } = await matchPackages(advisories, [
      pack('npm', 'x', '2.0.0'),
      pack('Debian:12', 'y', '1'),
    ]);
    expect(unknownEcosystems).toEqual(['Debian:12']);
    advisories.close();
  });

  test('Ubuntu and Red Hat name their releases in several ways', async () => {
    const advisories = await advisoriesOf(
      record('U-1', 'Ubuntu:22.04:LTS', 'x', '2'),
      record('R-1', 'Red Hat:enterprise_linux:9::appstream', 'y', '2-1'),
    );
    expect(
      await found(advisories, pack('Ubuntu:22.04', 'x', '1'), pack('Red Hat:9', 'y', '1-1', { type: 'rpm' })),
    ).toHaveLength(2);
    advisories.close();
  });

  const compare = comparatorOf('npm') as (a: string, b: string) => number;
  test.each([
    ['0.9.0', [{ introduced: '1.0.0' }, { fixed: '1.2.0' }], false],
    ['1.0.0', [{ introduced: '1.0.0' }, { fixed: '1.2.0' }], true],
    ['1.2.0', [{ introduced: '1.0.0' }, { fixed: '1.2.0' }], false],
    ['1.2.0', [{ introduced: '1.0.0' }, { last_affected: '1.2.0' }], true],
    ['1.2.1', [{ introduced: '1.0.0' }, { last_affected: '1.2.0' }], false],
    ['2.5.0', [{ introduced: '0' }, { fixed: '1.2.0' }, { introduced: '2.0.0' }], true],
    ['1.5.0', [{ introduced: '2.0.0' }, { fixed: '1.2.0' }, { introduced: '0' }], false],
    ['1.2.0', [{ introduced: '0' }, { fixed: '1.2.0' }, { introduced: '1.2.0' }], true],
  ])('%s in %j: %s', (version, events, expected) => {
    expect(affects({ versions: [], ranges: [events] }, version, compare).affected).toBe(expected);
  });
});

describe('severities', () => {
  test.each([
    ['CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H', 9.8, 'CRITICAL'],
    ['CVSS:3.0/AV:L/AC:H/PR:L/UI:N/S:U/C:H/I:N/A:N', 4.7, 'MEDIUM'],
    ['CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N', 9.3, 'CRITICAL'],
    ['AV:N/AC:L/Au:N/C:P/I:P/A:P', 7.5, 'HIGH'],
  ])('%s is %d, %s', (vector, score, severity) => {
    expect(scoreOf(vector)?.score).toBe(score);
    expect(severityOfScore(score)).toBe(severity);
  });

  test.each([
    '',
    'CVSS:3.1/AV:N',
    'CVSS:3.1/AV:N/garbage',
    'nonsense',
    'x'.repeat(10_000),
    '__proto__',
    'CVSS:9.9/AV:N',
  ])('what is no vector has no score (%#)', (vector) => {
    expect(scoreOf(vector)).toBeUndefined();
  });
});

describe('updating', () => {
  const a = record('A-1', 'npm', 'a', '1.0.0');

  test('from a folder, a zip, a URL; later records replace earlier ones, and withdrawn ones go', async () => {
    const file = freshFile();
    const zip = join(folder, 'b.zip');
    writeFileSync(zip, zipOf([{ name: 'b.json', content: JSON.stringify(record('B-1', 'npm', 'b', '1.0.0')) }]));
    const one = join(folder, 'a.json');
    writeFileSync(one, JSON.stringify(a));
    expect(await updateAdvisories({ file, sources: [one, zip], now: 1 })).toMatchObject({
      advisories: 2,
      imported: 2,
      ecosystems: ['npm'],
    });
    const advisories = openAdvisories(file);
    expect(advisories.about('npm', 'a')).toHaveLength(1);

    const server = createServer((_request, response) =>
      response.end(zipOf([{ name: 'x/a.json', content: JSON.stringify({ ...a, withdrawn: '2026-01-01T00:00:00Z' }) }])),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/npm/all.zip`;
    const progress: string[] = [];
    const result = await updateAdvisories({
      file,
      sources: [url],
      now: 2,
      fetch,
      progress: (step) => progress.push(step.stage),
    });
    server.close();
    expect(result).toMatchObject({ advisories: 1, withdrawn: 1 });
    expect(progress).toContain('importing');
    // The file that was open is seen to have been replaced.
    expect(advisories.updatedAt()).toBe(2);
    expect(advisories.about('npm', 'a')).toHaveLength(0);
    expect(advisories.about('npm', 'b')).toHaveLength(1);
    advisories.close();
  });

  test('records that are none are counted and explained; an update of nothing but such fails and changes nothing', async () => {
    const file = freshFile();
    const source = join(folder, 'mixed');
    mkdirSync(source);
    writeFileSync(join(source, 'a.json'), JSON.stringify(a));
    writeFileSync(join(source, 'b.json'), '{"no": "id"}');
    writeFileSync(join(source, 'c.json'), 'not json');
    expect(await updateAdvisories({ file, sources: [source], now: 1 })).toMatchObject({
      imported: 1,
      skipped: 2,
      problems: [expect.stringContaining('it has no id'), expect.any(String)],
    });
    const bad = join(folder, 'bad.json');
    writeFileSync(bad, '[]');
    await expect(updateAdvisories({ file, sources: [bad], now: 2 })).rejects.toBeInstanceOf(UpdateFailed);
    await expect(updateAdvisories({ file, sources: [join(folder, 'absent')], now: 2 })).rejects.toThrow(
      /no file or folder/,
    );
    const cut = join(folder, 'cut.zip');
    writeFileSync(cut, zipOf([{ name: 'a.json', content: JSON.stringify(a) }]).subarray(0, 60));
    await expect(updateAdvisories({ file, sources: [cut], now: 2 })).rejects.toThrow(/not a zip archive|cut off/);
    const advisories = openAdvisories(file);
    expect(advisories.updatedAt()).toBe(1);
    advisories.close();
  });

  test('a download that is too large or answers with an error fails', async () => {
    const file = freshFile();
    const server = createServer((request, response) => {
      response.statusCode = request.url === '/missing' ? 404 : 200;
      response.end(Buffer.alloc(100_000));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expect(
      updateAdvisories({ file, sources: [`${base}/large`], now: 1, fetch, downloadBytes: 1000 }),
    ).rejects.toThrow(/larger than 1000/);
    await expect(updateAdvisories({ file, sources: [`${base}/missing`], now: 1, fetch })).rejects.toThrow(/status 404/);
    await expect(updateAdvisories({ file, sources: [`${base}/x`], now: 1 })).rejects.toThrow(
      /Downloads are not possible/,
    );
    server.close();
  });

  test('a file that is no database of advisories is said to be unusable', () => {
    const file = freshFile();
    writeFileSync(file, 'this is not a database at all, but it is long enough to be looked at'.repeat(20));
    expect(() => openAdvisories(file).updatedAt()).toThrow(/scan update/);
    expect(openAdvisories(freshFile()).updatedAt()).toBeUndefined();
  });
});
