import { execFileSync, spawnSync } from 'node:child_process';
import { createReadStream, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { inventoryOf } from '@slipway/registry/scanning';
import { median, type Row, short, spread, writeSection } from './results.ts';

/**
 * `npm run bench:scanning`: how fast the embedded scanner reads a layer, in MB of compressed layer each second, and how much memory
 * it takes at most, beside the decompression tool alone in the same run.
 */
const { values: options } = parseArgs({
  options: {
    from: { type: 'string', default: '/usr/lib,/usr/share,/usr/bin,/var/lib/dpkg,/etc/os-release' },
    megabytes: { type: 'string', default: '400' },
    rounds: { type: 'string', default: '5' },
    /** Internal: reads this layer once and prints what it took. */
    layer: { type: 'string' },
  },
});

if (options.layer === undefined) measure();
else await scanOnce(options.layer);

async function scanOnce(layer: string): Promise<void> {
  const open = () => Promise.resolve<AsyncIterable<Uint8Array>>(createReadStream(layer, { highWaterMark: 256 * 1024 }));
  const before = process.memoryUsage.rss() / 2 ** 20;
  const started = performance.now();
  const { packages } = await inventoryOf([open]);
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(
    JSON.stringify({ seconds, packages: packages.length, before, peak: process.resourceUsage().maxRSS / 1024 }),
  );
}

function measure(): void {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-scanning-'));
  try {
    const tar = makeArchive(folder);
    const rows = [
      ...compare('gzip', `gzip -6 -c '${tar}'`, join(folder, 'layer.gz')),
      ...compare('zstd', `zstd -3 -q -c '${tar}'`, join(folder, 'layer.zst')),
    ];
    writeSection({
      name: 'scanning',
      title: 'Reading layers for a scan',
      command: 'npm run bench:scanning',
      notes: [
        `The layer is a tar of this machine's own files (${short(statSync(tar).size / 1e6)} MB: programs, libraries, documentation, the dpkg database). Ours finds all packages in it (dpkg, Go, npm, Python, Java, ...) in a process of its own; the peer is the tool with \`-dc\`, its output thrown away. Rounds alternate; megabytes are of the compressed layer.`,
        `Work waiting for a core when it ended (load average of a minute): ${short(loadavg()[0] ?? 0)}; a scan works in three threads and suffers from more.`,
        'Peak memory is the highest resident size of the process, less what it had when the scan began (Node and the loaded rooms); in brackets with that.',
      ],
      rows,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whole files until the archive is large enough, so that runs on one machine are alike. */
function makeArchive(folder: string): string {
  const tar = join(folder, 'layer.tar');
  const sources = options.from
    .split(',')
    .filter((path) => existsSync(path))
    .map((path) => path.slice(1));
  const most = Number(options.megabytes) * 1_000_000;
  const list = join(folder, 'files');
  const script = `cd / && find ${sources.map((path) => `'${path}'`).join(' ')} -xdev -type f -printf '%s %p\\n' 2>/dev/null | sort -k2 | awk '{ total += $1; if (total < ${most} || $2 ~ /^(var\\/lib\\/dpkg\\/status|etc\\/os-release)$/) print substr($0, index($0, " ") + 1) }' > '${list}'`;
  execFileSync('sh', ['-c', script]);
  spawnSync('tar', ['-C', '/', '--ignore-failed-read', '-cf', tar, '-T', list], { stdio: 'ignore' });
  return tar;
}

function compare(tool: string, compress: string, layer: string): Row[] {
  execFileSync('sh', ['-c', `${compress} > '${layer}'`]);
  const megabytes = statSync(layer).size / 1e6;
  const ours: number[] = [];
  const peers: number[] = [];
  const peaks: number[] = [];
  const scans: number[] = [];
  let found = 0;
  for (let round = 0; round < Number(options.rounds); round++) {
    const started = performance.now();
    execFileSync('sh', ['-c', `${tool} -dc '${layer}' > /dev/null`]);
    peers.push(megabytes / ((performance.now() - started) / 1000));
    const output = execFileSync(process.execPath, [import.meta.filename, '--layer', layer], { encoding: 'utf8' });
    const { seconds, packages, before, peak } = JSON.parse(output) as Record<
      'seconds' | 'packages' | 'before' | 'peak',
      number
    >;
    ours.push(megabytes / seconds);
    peaks.push(peak);
    scans.push(peak - before);
    found = packages;
  }
  return [
    {
      what: `${tool}, ${short(megabytes)} MB compressed, ${found} packages`,
      ours: spread(ours, 'MB/s'),
      peer: spread(peers, 'MB/s'),
      ratio: short(median(ours) / median(peers)),
      goal: 'at least 0.5',
    },
    {
      what: `${tool}: peak memory of the scan (of the whole process)`,
      ours: `${spread(scans, 'MiB')} (${short(median(peaks))} MiB)`,
      peer: '-',
      ratio: '-',
      goal: 'under 256 MiB',
    },
  ];
}
