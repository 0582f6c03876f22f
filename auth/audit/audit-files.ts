import { join } from 'node:path';
import { AuditFile } from './audit-file.ts';
import { type Audited, type AuditFacts, type AuditMoment, type AuditSink, onlyAsked } from './audit-line.ts';

/** The file of callers who proved who they are, in the folder of audit files. */
export const knownName = 'audit.jsonl';
/** The file of everybody else, failed logins included. */
export const anonymousName = 'anonymous.jsonl';
/** The file of what pages of the console read, and ask about their buttons. */
export const pagesName = 'pages.jsonl';

export interface AuditFilesOptions {
  /** An existing folder. */
  readonly folder: string;
  /** Called once for each failure to write; requests go on. */
  readonly onError: (error: unknown) => void;
}

/** Bytes of a file of strangers, and how many are kept beside it: less than of those who are known. */
const ANONYMOUS_BYTES = 16 * 1024 * 1024;
const ANONYMOUS_KEEP = 3;
/** Bytes of a file of what pages ask, and how many are kept beside it. */
const PAGES_BYTES = 32 * 1024 * 1024;
const PAGES_KEEP = 3;

/** What pages ask for every few seconds as long as they are open. Secrets, and the decisions of policies, are not among it. */
const readsOfPages =
  /^(?:Describe|List|Filter|GET )|^(?:GetMetricData|GetDashboard|GetLifecyclePolicy(?:Preview)?|GetRegistryScanningConfiguration|BatchGetImage)$/;

/**
 * Audit lines in three files, each rotated by its own size: what strangers do, however often they do it, puts no line aside of
 * callers who are known; nor do pages that stay open, which ask for more in an hour than people do in a week.
 */
export class AuditFiles implements AuditSink {
  readonly #known: AuditFile;
  readonly #anonymous: AuditFile;
  readonly #pages: AuditFile;

  constructor({ folder, onError }: AuditFilesOptions) {
    this.#known = new AuditFile({ path: join(folder, knownName), onError });
    this.#anonymous = new AuditFile({
      path: join(folder, anonymousName),
      maxBytes: ANONYMOUS_BYTES,
      keep: ANONYMOUS_KEEP,
      onError,
    });
    this.#pages = new AuditFile({ path: join(folder, pagesName), maxBytes: PAGES_BYTES, keep: PAGES_KEEP, onError });
  }

  write(moment: AuditMoment, audited: Audited): void {
    this.#fileOf(audited.facts).write(moment, audited);
  }

  /** Resolves when everything written so far is in the files. */
  async flush(): Promise<void> {
    await Promise.all([this.#known, this.#anonymous, this.#pages].map((file) => file.flush()));
  }

  /** Writes what waits and closes the files. */
  async close(): Promise<void> {
    await Promise.all([this.#known, this.#anonymous, this.#pages].map((file) => file.close()));
  }

  #fileOf({ principal, via, operation, detail }: AuditFacts): AuditFile {
    if (principal.type === 'anonymous') return this.#anonymous;
    return via === 'browser' && (detail === onlyAsked || readsOfPages.test(operation)) ? this.#pages : this.#known;
  }
}
