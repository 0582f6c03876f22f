import type { Package } from '../../advisories/index.ts';
// Past the index: each scan's thread loads this anew, and needs nothing of the database.
import { ZipError } from '../../advisories/index.ts';
import { type Budget, decompressed } from './decompress.ts';
import { findGoBuildInfo } from './go-binary.ts';
import { type Interest, interestOf, oldRpmDatabases } from './interest.ts';
import {
  parseGemspec,
  parseGoModules,
  parseJavaArchive,
  parseNpmLock,
  parseNpmPackage,
  parsePythonMetadata,
} from './language-packages.ts';
import { type InventoryLimits, Unscannable } from './limits.ts';
import { type Distribution, ecosystemOf, parseOsRelease } from './os-release.ts';
import { type LayerFacts, normalPath, Overlay } from './overlay.ts';
import { parseRpmDatabase } from './rpm.ts';
import { parseApkInstalled, parseDpkgStatus, type SystemPackage } from './system-packages.ts';
import { readTar, type TarEntry } from './tar.ts';

/** What an image is made of, as far as its files tell. */
export interface Inventory {
  readonly distribution?: Distribution;
  /** Sorted by type, name and version. */
  readonly packages: readonly Package[];
  /** Files that could not be read: damaged, or too large. At most a hundred. */
  readonly unread: readonly string[];
}

type Fact =
  | { readonly kind: 'distribution'; readonly distribution: Distribution }
  | { readonly kind: 'system'; readonly packages: readonly SystemPackage[] }
  | { readonly kind: 'language'; readonly packages: readonly Omit<Package, 'path'>[] }
  | { readonly kind: 'old-rpm' }
  | { readonly kind: 'unread'; readonly reason: string };

/**
 * Reads the layers of an image, lowest first, each once and as a stream, and says which packages the image has.
 * @throws Unscannable when a layer is no archive, is cut off, or goes beyond the limits
 */
export async function takeInventory(
  layers: Iterable<() => AsyncIterable<Uint8Array>> | AsyncIterable<() => AsyncIterable<Uint8Array>>,
  limits: InventoryLimits,
): Promise<Inventory> {
  const budget: Budget = { bytes: limits.bytes, entries: limits.entries };
  const overlay = new Overlay<Fact>();
  for await (const open of layers) {
    const layer = overlay.layer();
    for await (const entry of readTar(decompressed(open(), budget, limits), limits)) {
      if (--budget.entries < 0) throw new Unscannable(`the layers hold more than ${limits.entries} files`);
      const path = normalPath(entry.path);
      if (path !== undefined && path !== '') await note(layer, path, entry, limits);
    }
    overlay.apply(layer);
  }
  return summarize(overlay.facts(), limits);
}

async function note(layer: LayerFacts<Fact>, path: string, entry: TarEntry, limits: InventoryLimits): Promise<void> {
  if (layer.whiteout(path) || entry.type === 'directory') return;
  layer.replace(path);
  if (entry.type === 'hardlink') {
    // The same file under another name, when the first is one that was read.
    const target = layer.brought.get(normalPath(entry.link) ?? '');
    if (target) layer.brought.set(path, target);
    return;
  }
  if (entry.type !== 'file') return;
  const fact = await factOf(path, entry, limits);
  if (fact) layer.brought.set(path, fact);
}

async function factOf(path: string, entry: TarEntry, limits: InventoryLimits): Promise<Fact | undefined> {
  const interest = interestOf(path);
  if (interest === undefined) {
    if (oldRpmDatabases.has(path) && entry.size > 0) return { kind: 'old-rpm' };
    if ((entry.mode & 0o111) === 0 || entry.size < 4096) return undefined;
    const info = await findGoBuildInfo(entry.content());
    return info && { kind: 'language', packages: parseGoModules(info.goVersion, info.modules) };
  }
  const most = sizeLimitOf(interest, limits);
  const bytes = await entry.whole(most);
  if (bytes === undefined) {
    if (isDatabase(interest)) throw new Unscannable(`${path} is larger than ${most} bytes`);
    return { kind: 'unread', reason: `larger than ${most} bytes` };
  }
  try {
    return parse(interest, bytes, limits);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof ZipError) return { kind: 'unread', reason: error.message };
    throw error;
  }
}

function parse(interest: Interest, bytes: Buffer, limits: InventoryLimits): Fact | undefined {
  switch (interest) {
    case 'os-release': {
      const distribution = parseOsRelease(bytes.toString());
      return distribution && { kind: 'distribution', distribution };
    }
    case 'dpkg':
      return { kind: 'system', packages: parseDpkgStatus(bytes.toString()) };
    case 'apk':
      return { kind: 'system', packages: parseApkInstalled(bytes.toString()) };
    case 'rpm':
      return { kind: 'system', packages: parseRpmDatabase(bytes) };
    case 'npm':
      return { kind: 'language', packages: parseNpmPackage(bytes.toString()) };
    case 'npm-lock':
      return { kind: 'language', packages: parseNpmLock(bytes.toString()) };
    case 'python':
      return { kind: 'language', packages: parsePythonMetadata(bytes.toString()) };
    case 'gem':
      return { kind: 'language', packages: parseGemspec(bytes.toString()) };
    case 'java': {
      const { found, partly } = parseJavaArchive(bytes, limits);
      return partly && found.length === 0
        ? { kind: 'unread', reason: 'too deep or too large' }
        : { kind: 'language', packages: found };
    }
  }
}

const isDatabase = (interest: Interest): boolean => interest === 'dpkg' || interest === 'apk' || interest === 'rpm';

function sizeLimitOf(interest: Interest, limits: InventoryLimits): number {
  if (isDatabase(interest) || interest === 'npm-lock') return limits.databaseBytes;
  return interest === 'java' ? limits.archiveBytes : limits.descriptionBytes;
}

function summarize(facts: ReadonlyMap<string, Fact>, limits: InventoryLimits): Inventory {
  const distribution = distributionOf(facts);
  const ecosystem = ecosystemOf(distribution);
  const packages = new Map<string, Package>();
  const unread: string[] = [];
  let oldRpm = false;
  let newRpm = false;
  for (const [path, fact] of facts) {
    if (fact.kind === 'unread' && unread.length < 100) unread.push(`${path}: ${fact.reason}`);
    if (fact.kind === 'old-rpm') oldRpm = true;
    if (fact.kind !== 'system' && fact.kind !== 'language') continue;
    for (const found of fact.packages) {
      if (found.type === 'rpm') newRpm = true;
      const pack: Package = 'ecosystem' in found ? { ...found, path } : { ...found, ecosystem };
      packages.set([pack.type, pack.name, pack.version, pack.architecture, pack.path].join('\n'), pack);
      if (packages.size > limits.packages) throw new Unscannable(`the image has more than ${limits.packages} packages`);
    }
  }
  if (oldRpm && !newRpm) throw new Unscannable('its rpm database is of a kind from before rpm 4.16');
  const sorted = [...packages.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, pack]) => pack);
  return { ...(distribution ? { distribution } : {}), packages: sorted, unread };
}

function distributionOf(facts: ReadonlyMap<string, Fact>): Distribution | undefined {
  for (const path of ['etc/os-release', 'usr/lib/os-release']) {
    const fact = facts.get(path);
    if (fact?.kind === 'distribution') return fact.distribution;
  }
  return undefined;
}
