import { existsSync, statSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Advisory, Affected } from './osv.ts';

/** Advisories at hand, for lookups by package. */
export interface Advisories {
  /** When the file was last filled, milliseconds since the epoch; undefined as long as there is none. */
  updatedAt(): number | undefined;
  /** Ecosystems of which there is at least one advisory. */
  ecosystems(): ReadonlySet<string>;
  /** Everything about one package. */
  about(ecosystem: string, name: string): readonly { readonly advisory: Advisory; readonly affected: Affected }[];
  close(): void;
}

export const advisoryFormat = 1;

export const advisorySchema = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS advisory (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, facts TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS affected (
    ecosystem TEXT NOT NULL, name TEXT NOT NULL, advisory INTEGER NOT NULL, facts TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS affected_package ON affected (ecosystem, name);
  CREATE INDEX IF NOT EXISTS affected_advisory ON affected (advisory);
`;

/** The file is there but is no database of advisories of this version. */
export class AdvisoriesUnusable extends Error {
  override readonly name = 'AdvisoriesUnusable';
}

/**
 * Opens the advisories in `file`. An update replaces the file as a whole; it is noticed at the next `updatedAt()`, so that a
 * scan works on one state from its beginning to its end. No file is the same as no advisories.
 * @throws AdvisoriesUnusable by any method, when the file cannot be read
 */
export function openAdvisories(file: string): Advisories {
  let open: Opened | undefined;

  const current = (): Opened | undefined => {
    if (!existsSync(file)) {
      open?.database.close();
      open = undefined;
      return undefined;
    }
    const { ino, mtimeMs } = statSync(file);
    if (open?.ino !== ino || open.mtimeMs !== mtimeMs) {
      open?.database.close();
      open = undefined;
      open = { ...openFile(file), ino, mtimeMs };
    }
    return open;
  };

  return {
    updatedAt: () => current()?.updatedAt,
    ecosystems: () => (open ?? current())?.ecosystems ?? new Set(),
    about: (ecosystem, name) =>
      ((open ?? current())?.byPackage.all(ecosystem, name) ?? []).map((row) => ({
        advisory: JSON.parse(row['advisory'] as string) as Advisory,
        affected: {
          ecosystem,
          name,
          ...(JSON.parse(row['affected'] as string) as Omit<Affected, 'ecosystem' | 'name'>),
        },
      })),
    close() {
      open?.database.close();
      open = undefined;
    },
  };
}

interface OpenedFile {
  readonly database: DatabaseSync;
  readonly byPackage: StatementSync;
  readonly updatedAt: number;
  readonly ecosystems: ReadonlySet<string>;
}

interface Opened extends OpenedFile {
  readonly ino: number;
  readonly mtimeMs: number;
}

function openFile(file: string): OpenedFile {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true });
    const meta = new Map(
      database
        .prepare('SELECT key, value FROM meta')
        .all()
        .map((row) => [row['key'] as string, row['value'] as string]),
    );
    if (meta.get('format') !== String(advisoryFormat))
      throw new Error(`its format is ${meta.get('format') ?? 'unknown'}`);
    return {
      database,
      byPackage: database.prepare(
        'SELECT advisory.facts AS advisory, affected.facts AS affected FROM affected JOIN advisory ON advisory.number = affected.advisory WHERE affected.ecosystem = ? AND affected.name = ?',
      ),
      updatedAt: Number(meta.get('updatedAt')),
      ecosystems: new Set(JSON.parse(meta.get('ecosystems') ?? '[]') as string[]),
    };
  } catch (cause) {
    database?.close();
    throw new AdvisoriesUnusable(
      `The advisories in ${file} cannot be read (${cause instanceof Error ? cause.message : String(cause)}). Run "slipway scan update" with --replace to make them anew.`,
      { cause },
    );
  }
}
