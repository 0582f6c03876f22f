import { join } from 'node:path';
import { AuditFile } from './audit-file.ts';
import type { Audited, AuditMoment, AuditSink } from './audit-line.ts';

/** The file of callers who proved who they are, in the folder of audit files. */
export const knownName = 'audit.jsonl';
/** The file of everybody else, failed logins included. */
export const anonymousName = 'anonymous.jsonl';

export interface AuditFilesOptions {
  /** An existing folder. */
  readonly folder: string;
  /** Called once for each failure to write; requests go on. */
  readonly onError: (error: unknown) => void;
}

/** Bytes of a file of strangers, and how many are kept beside it: less than of those who are known. */
const ANONYMOUS_BYTES = 16 * 1024 * 1024;
const ANONYMOUS_KEEP = 3;

/**
 * Audit lines in two files, each rotated by its own size: what strangers do, however often they do it, puts no line aside of
 * callers who are known.
 */
export class AuditFiles implements AuditSink {
  readonly #known: AuditFile;
  readonly #anonymous: AuditFile;

  constructor({ folder, onError }: AuditFilesOptions) {
    this.#known = new AuditFile({ path: join(folder, knownName), onError });
    this.#anonymous = new AuditFile({
      path: join(folder, anonymousName),
      maxBytes: ANONYMOUS_BYTES,
      keep: ANONYMOUS_KEEP,
      onError,
    });
  }

  write(moment: AuditMoment, audited: Audited): void {
    (audited.facts.principal.type === 'anonymous' ? this.#anonymous : this.#known).write(moment, audited);
  }

  /** Resolves when everything written so far is in the files. */
  async flush(): Promise<void> {
    await Promise.all([this.#known.flush(), this.#anonymous.flush()]);
  }

  /** Writes what waits and closes the files. */
  async close(): Promise<void> {
    await Promise.all([this.#known.close(), this.#anonymous.close()]);
  }
}
