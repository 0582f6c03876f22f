import type { Package } from '../../advisories/index.ts';
import { bytesOf, readZip } from '../../advisories/index.ts';
import { isArchive } from './interest.ts';
import type { InventoryLimits } from './limits.ts';

type Named = Pick<Package, 'type' | 'ecosystem' | 'name' | 'version'>;

/** `package.json` of an installed npm package. */
export function parseNpmPackage(text: string): Named[] {
  const value = JSON.parse(text) as { name?: unknown; version?: unknown };
  return npm(value.name, value.version);
}

/** `package-lock.json`, versions 1 to 3: what is installed, without what only development needs. */
export function parseNpmLock(text: string): Named[] {
  const value = JSON.parse(text) as { packages?: unknown; dependencies?: unknown };
  if (isObject(value.packages)) {
    return Object.entries(value.packages).flatMap(([path, entry]) => {
      const at = path.lastIndexOf('node_modules/');
      if (at < 0 || !isObject(entry) || entry['dev'] === true || entry['link'] === true) return [];
      return npm(entry['name'] ?? path.slice(at + 'node_modules/'.length), entry['version']);
    });
  }
  const found: Named[] = [];
  const open: unknown[] = [value.dependencies];
  while (open.length > 0) {
    const dependencies = open.pop();
    if (!isObject(dependencies)) continue;
    for (const [name, entry] of Object.entries(dependencies)) {
      if (!isObject(entry) || entry['dev'] === true) continue;
      found.push(...npm(name, entry['version']));
      open.push(entry['dependencies']);
    }
  }
  return found;
}

/** `METADATA` or `PKG-INFO` of an installed Python distribution: headers as in mail. */
export function parsePythonMetadata(text: string): Named[] {
  const end = text.search(/\r?\n\r?\n/);
  const head = end < 0 ? text : text.slice(0, end);
  const [name, version] = [/^Name:[ \t]*(\S+)/m.exec(head)?.[1], /^Version:[ \t]*(\S+)/m.exec(head)?.[1]];
  return name && version ? [{ type: 'pypi', ecosystem: 'PyPI', name, version }] : [];
}

/** A gem's specification as RubyGems installs it. */
export function parseGemspec(text: string): Named[] {
  const [name, version] = ['name', 'version'].map(
    (member) =>
      new RegExp(
        `^[ \\t]*\\w+\\.${member}\\s*=\\s*(?:Gem::Version\\.new\\s*(?:\\(\\s*)?)?["']([^"'\n]{1,200})["']`,
        'm',
      ).exec(text)?.[1],
  );
  return name && version ? [{ type: 'gem', ecosystem: 'RubyGems', name, version }] : [];
}

/** Modules that a Go program was built from, out of `runtime/debug.BuildInfo`'s text, and Go's own library. */
export function parseGoModules(goVersion: string, modules: string): Named[] {
  const found: Named[] = [];
  const [, standard] = /^go(\d[\w.]*)/.exec(goVersion) ?? [];
  if (standard) found.push(go('stdlib', standard));
  let last: Named | undefined;
  for (const line of modules.split('\n').slice(0, 20_000)) {
    const [kind, name, version] = line.split('\t');
    if (kind === 'dep' || kind === 'mod') {
      last = name && version && version !== '(devel)' ? go(name, version) : undefined;
      if (last) found.push(last);
    } else if (kind === '=>' && name && version && last) {
      // The module before this line was replaced by this one.
      found[found.lastIndexOf(last)] = go(name, version);
    }
  }
  return found;
}

/**
 * Maven artifacts in a Java archive, and in archives inside it up to a depth, found by their `pom.properties`.
 * @returns with whether something in it was too deep or too large to be read
 */
export function parseJavaArchive(
  bytes: Buffer,
  limits: Pick<InventoryLimits, 'nesting' | 'archiveBytes' | 'descriptionBytes'>,
): { readonly found: Named[]; readonly partly: boolean } {
  const found: Named[] = [];
  let partly = false;
  // All archives of the nest together may be unpacked to a few times the size of one.
  let budget = limits.archiveBytes * 4;
  const visit = (archive: Buffer, depth: number): void => {
    for (const entry of readZip(bytesOf(archive), { entries: 100_000, entryBytes: limits.archiveBytes })) {
      const nested = isArchive(entry.name);
      if (!nested && !/^META-INF\/maven\/[^/]+\/[^/]+\/pom\.properties$/.test(entry.name)) continue;
      budget -= entry.size;
      if (
        budget < 0 ||
        entry.size > (nested ? limits.archiveBytes : limits.descriptionBytes) ||
        (nested && depth >= limits.nesting)
      ) {
        partly = true;
        continue;
      }
      if (nested) visit(entry.read(), depth + 1);
      else found.push(...pomProperties(entry.read().toString()));
    }
  };
  visit(bytes, 0);
  return { found, partly };
}

function pomProperties(text: string): Named[] {
  const [group, artifact, version] = ['groupId', 'artifactId', 'version'].map(
    (name) => new RegExp(`^${name}=(\\S+)`, 'm').exec(text)?.[1],
  );
  return group && artifact && version
    ? [{ type: 'maven', ecosystem: 'Maven', name: `${group}:${artifact}`, version }]
    : [];
}

const go = (name: string, version: string): Named => ({
  type: 'golang',
  ecosystem: 'Go',
  name,
  version: version.replace(/^v/, ''),
});

const npm = (name: unknown, version: unknown): Named[] =>
  typeof name === 'string' && name !== '' && typeof version === 'string' && /^\d/.test(version)
    ? [{ type: 'npm', ecosystem: 'npm', name, version }]
    : [];

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
