import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { debianRelease, dpkgStanza, gzip, type Made, paxOf, pieces, tarOf, zstd } from '../testing/archives.ts';
import { rpmHeader, zipOf } from '../testing/databases.ts';
import { takeInventory } from './inventory.ts';
import { defaultInventoryLimits, type InventoryLimits, Unscannable } from './limits.ts';
import { inventoryOf } from './take-inventory.ts';

const inventory = (layers: readonly Buffer[], limits: Partial<InventoryLimits> = {}) =>
  takeInventory(
    layers.map((bytes) => () => pieces(bytes, 10_000)),
    { ...defaultInventoryLimits, ...limits },
  );

async function names(layers: readonly (readonly Made[])[]): Promise<string[]> {
  const { packages } = await inventory(layers.map((entries) => gzip(tarOf(entries))));
  return packages.map((pack) => `${pack.ecosystem} ${pack.name} ${pack.version}`);
}

const status = (...packages: readonly string[]): Made => ({
  path: 'var/lib/dpkg/status',
  content: packages.map((name) => dpkgStanza(name, '1.0-1')).join(''),
});
const release: Made = { path: 'etc/os-release', content: debianRelease };

describe('what is read', () => {
  const real = '/var/lib/dpkg/status';
  test.skipIf(!existsSync(real) && process.env['CI'] === undefined)(
    "this machine's own dpkg database gives what dpkg-query says (skipped without dpkg)",
    async () => {
      const { packages } = await inventory([
        gzip(tarOf([release, { path: 'var/lib/dpkg/status', content: readFileSync(real) }])),
      ]);
      const query = execFileSync(
        'dpkg-query',
        ['-W', '-f', '${db:Status-Status}\t${Package}\t${Version}\t${source:Package}\t${source:Version}\n'],
        { encoding: 'utf8', maxBuffer: 1e8 },
      );
      const expected = query
        .trim()
        .split('\n')
        .map((line) => line.split('\t'))
        .filter(([state]) => state === 'installed')
        .map(([, ...fields]) => fields.join(' '));
      expect(
        packages.map((pack) => [pack.name, pack.version, pack.source?.name, pack.source?.version].join(' ')).sort(),
      ).toEqual(expected.sort());
      expect(packages.length).toBeGreaterThan(100);
    },
  );

  test('gzip, zstd and plain layers, whatever the manifest calls them', async () => {
    const entries = [release, status('a')];
    for (const layer of [tarOf(entries), gzip(tarOf(entries)), zstd(tarOf(entries))]) {
      expect((await inventory([layer])).packages).toHaveLength(1);
    }
  });

  test('layers of several gzip members or zstd frames, as lazy-pulling formats write them', async () => {
    const bytes = tarOf([release, status('a')]);
    const [head, tail] = [bytes.subarray(0, 700), bytes.subarray(700)];
    const skippable = Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0]), Buffer.alloc(4)]);
    expect((await inventory([Buffer.concat([gzip(head), gzip(tail)])])).packages).toHaveLength(1);
    expect((await inventory([Buffer.concat([skippable, zstd(head), skippable, zstd(tail)])])).packages).toHaveLength(1);
  });

  test('dpkg: distroless files, source packages with versions of their own, packages that were removed', async () => {
    expect(
      await names([
        [
          release,
          { path: './var/lib/dpkg/status.d/libc6', content: dpkgStanza('libc6', '2.36-9', 'glibc (2.36-8)') },
          { path: './var/lib/dpkg/status.d/libc6.md5sums', content: 'Package: not\nVersion: 1\n' },
          { path: 'var/lib/dpkg/status', content: 'Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n' },
        ],
      ]),
    ).toEqual(['Debian:12 libc6 2.36-9']);
  });

  test('apk', async () => {
    expect(
      await names([
        [
          { path: 'etc/os-release', content: 'ID=alpine\nVERSION_ID=3.20.3\n' },
          {
            path: 'lib/apk/db/installed',
            content: 'C:Q1abc=\nP:libssl3\nV:3.3.2-r0\nA:x86_64\no:openssl\n\nP:musl\nV:1.2.5-r0\n\n',
          },
        ],
      ]),
    ).toEqual(['Alpine:v3.20 libssl3 3.3.2-r0', 'Alpine:v3.20 musl 1.2.5-r0']);
  });

  test('rpm: headers in a sqlite database', async () => {
    const database = new DatabaseSync(':memory:');
    database.exec(
      "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL); CREATE TABLE 'Name' (key 'TEXT' NOT NULL, hnum INTEGER NOT NULL)",
    );
    const add = database.prepare('INSERT INTO Packages (blob) VALUES (?)');
    add.run(
      rpmHeader({
        name: 'openssl-libs',
        version: '3.0.7',
        release: '24.el9',
        epoch: 1,
        sourceRpm: 'openssl-3.0.7-24.el9.src.rpm',
      }),
    );
    add.run(rpmHeader({ name: 'gpg-pubkey', version: 'abc', release: '1' }));
    const { packages } = await inventory([
      gzip(
        tarOf([
          { path: 'etc/os-release', content: 'ID="rhel"\nVERSION_ID="9.4"\n' },
          { path: 'var/lib/rpm/rpmdb.sqlite', content: Buffer.from(database.serialize()) },
        ]),
      ),
    ]);
    expect(packages).toMatchObject([
      {
        ecosystem: 'Red Hat:9',
        name: 'openssl-libs',
        version: '1:3.0.7-24.el9',
        source: { name: 'openssl' },
        architecture: 'x86_64',
      },
    ]);
  });

  test('npm, pip, gems and Java archives, also in archives', async () => {
    const pom = (artifact: string) => ({
      name: `META-INF/maven/org.x/${artifact}/pom.properties`,
      content: `#\ngroupId=org.x\nartifactId=${artifact}\nversion=1.2\n`,
    });
    expect(
      await names([
        [
          { path: 'app/node_modules/lodash/package.json', content: '{"name":"lodash","version":"4.17.20"}' },
          { path: 'app/node_modules/@a/b/package.json', content: '{"name":"@a/b","version":"1.0.0"}' },
          { path: 'app/package.json', content: '{"name":"mine","version":"1.0.0"}' },
          {
            path: 'srv/package-lock.json',
            content:
              '{"packages":{"":{},"node_modules/x":{"version":"2.0.0"},"node_modules/y":{"version":"1.0.0","dev":true}}}',
          },
          {
            path: 'usr/lib/python3/dist-packages/Jinja2-3.1.2.dist-info/METADATA',
            content: 'Metadata-Version: 2.1\nName: Jinja2\nVersion: 3.1.2\n\nName: not\n',
          },
          {
            path: 'usr/lib/ruby/gems/3.1.0/specifications/rack-2.2.0.gemspec',
            content: 'Gem::Specification.new do |s|\n  s.name = "rack".freeze\n  s.version = "2.2.0"\nend\n',
          },
          {
            path: 'app.jar',
            content: zipOf([pom('outer'), { name: 'BOOT-INF/lib/inner.jar', content: zipOf([pom('inner')]) }]),
          },
        ],
      ]),
    ).toEqual([
      'RubyGems rack 2.2.0',
      'Maven org.x:inner 1.2',
      'Maven org.x:outer 1.2',
      'npm @a/b 1.0.0',
      'npm lodash 4.17.20',
      'npm x 2.0.0',
      'PyPI Jinja2 3.1.2',
    ]);
  });

  const go = ['/usr/local/go/bin/go', '/usr/bin/go'].find((path) => existsSync(path));
  test.skipIf(go === undefined && process.env['CI'] === undefined)(
    'a Go program, by what its compiler wrote into it (skipped without Go)',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'slipway-go-'));
      writeFileSync(join(folder, 'go.mod'), 'module example.test/hello\n\ngo 1.21\n');
      writeFileSync(join(folder, 'main.go'), 'package main\n\nfunc main() { println("hello") }\n');
      execFileSync(go ?? '', ['build', '-o', 'hello', '.'], {
        cwd: folder,
        env: { ...process.env, GOFLAGS: '-mod=mod', CGO_ENABLED: '0' },
      });
      const version = execFileSync(go ?? '', ['env', 'GOVERSION'], { encoding: 'utf8' })
        .trim()
        .replace(/^go/, '')
        .split(' ')[0];
      const content = readFileSync(join(folder, 'hello'));
      rmSync(folder, { recursive: true, force: true });
      expect(await names([[{ path: 'bin/hello', content, mode: 0o755 }]])).toEqual([`Go stdlib ${version}`]);
      // In pieces of every size the header may fall on an edge.
      for (const size of [7, 511, 4096]) {
        const { packages } = await takeInventory(
          [() => pieces(tarOf([{ path: 'hello', content, mode: 0o755 }]), size * 8)],
          defaultInventoryLimits,
        );
        expect(packages.map((pack) => pack.name)).toEqual(['stdlib']);
      }
    },
    120_000,
  );
});

describe('layers on layers', () => {
  test('the upper database counts, alone', async () => {
    expect(await names([[release, status('a', 'b')], [status('a')]])).toEqual(['Debian:12 a 1.0-1']);
  });

  test.each([
    ['a whiteout of the file', { path: 'var/lib/dpkg/.wh.status' }],
    ['a whiteout of a folder above it', { path: 'var/.wh.lib' }],
    ['an opaque folder', { path: 'var/lib/dpkg/.wh..wh..opq' }],
    ['an opaque root', { path: '.wh..wh..opq' }],
    ['a file in place of a folder', { path: 'var/lib', content: '' }],
    ['a symlink in place of the file', { path: 'var/lib/dpkg/status', type: '2', link: '/etc/passwd' }],
  ])('%s hides what lies below', async (_what, entry) => {
    expect(await names([[release, status('a')], [entry]])).toEqual([]);
  });

  test('an opaque folder hides what is below it, not what its own layer brings', async () => {
    expect(
      await names([
        [release, status('a')],
        [status('b'), { path: 'var/lib/dpkg/.wh..wh..opq' }],
      ]),
    ).toEqual(['Debian:12 b 1.0-1']);
  });

  test('a whiteout of another name, and a folder entry, hide nothing', async () => {
    expect(
      await names([
        [release, status('a')],
        [{ path: 'var/lib/dpkg/.wh.stat' }, { path: 'var/lib/dpkg/', type: '5' }],
      ]),
    ).toHaveLength(1);
  });

  test('D4: paths out of the image, absolute ones, and links are never followed', async () => {
    expect(
      await names([
        [
          { path: '../../var/lib/dpkg/status', content: dpkgStanza('up', '1') },
          { path: 'x/../var/lib/dpkg/status', content: dpkgStanza('dots', '1') },
          { path: '/etc/os-release', content: debianRelease },
          { path: 'var/lib/dpkg', type: '2', link: '../../../../etc' },
          { path: 'VAR/lib/dpkg/status', content: dpkgStanza('case', '1') },
          { path: 'dev/sda', type: '4' },
          { path: 'copy', type: '1', link: 'var/lib/dpkg/status' },
        ],
      ]),
    ).toEqual([]);
  });
});

describe('what is unscannable', () => {
  /** Why a layer cannot be scanned. */
  const refusal = (layer: Buffer, limits: Partial<InventoryLimits> = {}): Promise<string> =>
    inventory([layer], limits).then(
      () => 'scannable',
      (error: unknown) => (error instanceof Unscannable ? error.message : `failed: ${String(error)}`),
    );

  test('D1: a small gzip or zstd layer that grows without end stops at 200 times its size', async () => {
    const zeros = tarOf([{ path: 'zeros', content: Buffer.alloc(64 * 1024 * 1024) }]);
    await expect(refusal(gzip(zeros))).resolves.toMatch(/more than 200 times/);
    await expect(refusal(zstd(zeros))).resolves.toMatch(/more than 200 times/);
  });

  test('D1: members one after the other count together, and so do layers', async () => {
    const layer = gzip(
      tarOf([{ path: 'a', content: Buffer.from(Array.from({ length: 60_000 }, (_, at) => (at * 7919) % 251)) }]),
    );
    await expect(
      refusal(Buffer.concat(Array.from({ length: 20 }, () => layer)), { bytes: 1_000_000 }),
    ).resolves.toMatch(/hold more than/);
    await expect(inventory([layer, layer, layer], { bytes: 150_000 })).rejects.toThrow(/hold more than/);
  });

  test('D1: a zstd window of more than 128 MiB', async () => {
    // Written by the tool, because the library here does not make such frames.
    const folder = mkdtempSync(join(tmpdir(), 'slipway-zstd-'));
    const file = join(folder, 'layer.tar');
    writeFileSync(file, tarOf([{ path: 'a', content: Buffer.alloc(1024 * 1024, 'abc') }]));
    let layer: Buffer | undefined;
    try {
      layer = execFileSync('sh', ['-c', `cat '${file}' | zstd --ultra -22 --long=31 -c`], {
        maxBuffer: 1e8,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    } catch {
      // No zstd on this machine: the header by hand, a window of 2 GiB.
      layer = Buffer.from('28b52ffd04a8', 'hex');
    } finally {
      rmSync(folder, { recursive: true });
    }
    await expect(refusal(layer)).resolves.toMatch(/cannot be decompressed/);
  });

  test('D1: archives in archives are read to a depth, and only so much of them', async () => {
    let jar = zipOf([
      { name: 'META-INF/maven/g/a/pom.properties', content: 'groupId=g\nartifactId=deep\nversion=1\n' },
    ]);
    for (let depth = 0; depth < 6; depth++) jar = zipOf([{ name: 'x.jar', content: jar }]);
    const { packages, unread } = await inventory([gzip(tarOf([{ path: 'a.jar', content: jar }]))]);
    expect(packages).toEqual([]);
    expect(unread).toEqual(['a.jar: too deep or too large']);
    const bomb = zipOf(
      Array.from({ length: 20 }, (_, at) => ({ name: `${at}.jar`, content: Buffer.alloc(8 * 1024 * 1024) })),
    );
    expect((await inventory([gzip(tarOf([{ path: 'a.jar', content: bomb }]))])).packages).toEqual([]);
  });

  test('D2: too many entries', () =>
    expect(
      refusal(tarOf(Array.from({ length: 50 }, (_, at) => ({ path: `f${at}` }))), { entries: 20 }),
    ).resolves.toMatch(/more than 20 files/));

  test('D2: a pax header that pretends to 8 GiB of content', () =>
    expect(refusal(tarOf([paxOf({ size: String(8 * 1024 ** 3) }), { path: 'a', content: 'x' }]))).resolves.toMatch(
      /ends in the middle/,
    ));

  test('D5: the database of a package manager that is too large; one package description that is', async () => {
    await expect(
      refusal(tarOf([{ path: 'var/lib/dpkg/status', content: 'x'.repeat(2000) }]), {
        databaseBytes: 1000,
      }),
    ).resolves.toMatch(/larger than 1000/);
    const { unread } = await inventory([tarOf([{ path: 'node_modules/a/package.json', content: 'x'.repeat(2000) }])], {
      descriptionBytes: 1000,
    });
    expect(unread).toEqual(['node_modules/a/package.json: larger than 1000 bytes']);
  });

  test('D5: texts made to be slow, almost as long as they may be: an expression of quadratic time would take minutes for one', async () => {
    const size = 900_000;
    const spaces = ' '.repeat(size);
    const found = await names([
      [
        { path: 'var/lib/dpkg/status', content: `Package: a\nVersion: 1\nSource:${spaces}(\n` },
        { path: 'x/specifications/a.gemspec', content: `s.name${spaces}` },
        { path: 'x/specifications/b.gemspec', content: '\n'.repeat(size) },
        { path: 'x/specifications/c.gemspec', content: ' \n'.repeat(size / 2) },
        { path: 'x/specifications/d.gemspec', content: `s.name = Gem::Version.new${spaces}` },
        { path: 'x/specifications/e.gemspec', content: `s.name = Gem::Version.new(${spaces}` },
        { path: 'x/a.dist-info/METADATA', content: `Name:${spaces}` },
        { path: 'node_modules/a/package.json', content: '['.repeat(size) },
        { path: 'etc/os-release', content: `ID=${'"'.repeat(size / 15)}` },
      ],
    ]);
    expect(found).toEqual(['unknown a 1']);
  });

  test('too many packages', () =>
    expect(
      refusal(tarOf([status(...Array.from({ length: 50 }, (_, at) => `p${at}`))]), {
        packages: 20,
      }),
    ).resolves.toMatch(/more than 20 packages/));

  test('an rpm database that is none, and one whose table is a program', async () => {
    await expect(refusal(tarOf([{ path: 'var/lib/rpm/rpmdb.sqlite', content: 'nonsense' }]))).resolves.toMatch(
      /not of the sqlite kind/,
    );
    const database = new DatabaseSync(':memory:');
    database.exec(
      'CREATE VIEW Packages AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS blob FROM n',
    );
    await expect(
      refusal(tarOf([{ path: 'var/lib/rpm/rpmdb.sqlite', content: Buffer.from(database.serialize()) }])),
    ).resolves.toMatch(/no table of packages/);
    await expect(refusal(tarOf([{ path: 'var/lib/rpm/Packages', content: 'old' }]))).resolves.toMatch(
      /before rpm 4.16/,
    );
  });

  test.each([10, 300, 700, 1500])('a layer that is cut off after %i bytes', async (length) => {
    const whole = tarOf([release, status('a', 'b', 'c')]);
    await expect(refusal(zstdCompressSync(whole).subarray(0, Math.min(length, 60)))).resolves.toMatch(
      /cannot be decompressed/,
    );
    await expect(refusal(gzip(whole).subarray(0, Math.min(length, 150)))).resolves.toMatch(
      /cannot be decompressed|ends in the middle/,
    );
    await expect(refusal(whole.subarray(0, length))).resolves.toMatch(/ends in the middle|not a tar archive/);
  });
});

describe('in a thread of its own', () => {
  const open = (bytes: Buffer) => async () => pieces(bytes);

  test('gives the same as without', async () => {
    const layers = [gzip(tarOf([release, status('a')])), zstd(tarOf([{ path: 'etc/x', content: 'y' }]))];
    expect(await inventoryOf(layers.map(open))).toEqual(await inventory(layers));
  });

  test('what lies behind the end of a compressed layer does not get into the next one', async () => {
    const first = Buffer.concat([gzip(tarOf([release, status('a')])), Buffer.alloc(700_000)]);
    expect(
      (await inventoryOf([open(first), open(gzip(tarOf([status('b')])))])).packages.map((pack) => pack.name),
    ).toEqual(['b']);
  });

  test('D3: a layer that never comes to its end is given up when the time is over', async () => {
    const endless = async () =>
      (async function* () {
        yield* pieces(tarOf([release], false));
        for (;;) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          yield tarOf([{ path: 'x', content: 'y' }], false);
        }
      })();
    await expect(inventoryOf([endless], { limits: { time: 400 } })).rejects.toThrow(/takes longer than 400 ms/);
  });

  test('stops when the caller does, and says so when a layer cannot be read', async () => {
    const never = async () =>
      (async function* () {
        await new Promise(() => {});
        yield Buffer.alloc(0);
      })();
    await expect(inventoryOf([never], { signal: AbortSignal.timeout(50) })).rejects.toThrow(/timeout/);
    const broken = () => Promise.reject(new Error('the store is away'));
    await expect(inventoryOf([broken])).rejects.toThrow('the store is away');
    await expect(inventoryOf([open(Buffer.alloc(1024, 'x'))])).rejects.toBeInstanceOf(Unscannable);
  });
});
