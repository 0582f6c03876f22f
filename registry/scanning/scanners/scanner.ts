import type { Package, Score, Severity } from '../../advisories/index.ts';
import type { Distribution } from '../inventory/os-release.ts';

/** The image that is to be scanned. */
export interface ScanTarget {
  readonly account: string;
  readonly repository: string;
  readonly digest: string;
  readonly tags: readonly string[];
  readonly mediaType: string;
  /** The layers, lowest first, as they lie in the store. */
  readonly layers: readonly {
    readonly digest: string;
    readonly size: number;
    open(): Promise<AsyncIterable<Uint8Array>>;
  }[];
}

/** A vulnerability of a package in the image. */
export interface Finding {
  /** `CVE-2024-1234`, or what else its database calls it. */
  readonly name: string;
  readonly severity: Severity;
  readonly description: string;
  readonly uri: string;
  readonly package: Pick<Package, 'name' | 'version'> & Partial<Package>;
  readonly fixedIn?: string;
  readonly score?: Score;
  readonly source?: string;
  readonly references?: readonly string[];
  readonly published?: number;
  readonly modified?: number;
}

export interface ScanReport {
  readonly findings: readonly Finding[];
  /** What the image is made of, from scanners that say so; makes scanning again cheap, and the bill of materials. */
  readonly inventory?: { readonly packages: readonly Package[]; readonly distribution?: Distribution };
  /** When what the scanner knows was last brought up to date, milliseconds since the epoch. */
  readonly knowledgeFrom?: number;
  /** What people should know beside the findings. */
  readonly note?: string;
}

/** Something that finds vulnerabilities in images. One object serves all scans, several at a time. */
export interface Scanner {
  readonly name: string;
  /**
   * @param signal aborts when the scan's time is over
   * @throws Unscannable when this image can never be scanned; ScannerFailed when it may work another time
   */
  scan(target: ScanTarget, signal: AbortSignal): Promise<ScanReport>;
  /** As {@link scan}, from an inventory taken earlier; no layer is read. */
  match?(inventory: NonNullable<ScanReport['inventory']>): Promise<ScanReport>;
  /** When its knowledge was last brought up to date, if it can say. */
  knowledgeFrom?(): number | undefined;
}

/** The scanner did not do its work: it is away, too slow, or says things that are none. */
export class ScannerFailed extends Error {
  override readonly name = 'ScannerFailed';
}

/** The image has nothing that this scanner could judge. */
export class UnsupportedImage extends Error {
  override readonly name = 'UnsupportedImage';
}

const most = { findings: 10_000, text: 2000, word: 500, references: 10 };

/**
 * A report within the limits of what is kept. Long texts are cut; too many findings are no report at all.
 * @throws ScannerFailed
 */
export function withinLimits(report: ScanReport): ScanReport {
  if (report.findings.length > most.findings) {
    throw new ScannerFailed(
      `The scanner reports ${report.findings.length} findings; at most ${most.findings} are kept.`,
    );
  }
  return { ...report, findings: report.findings.map(cut) };
}

const cut = (finding: Finding): Finding => ({
  ...finding,
  name: finding.name.slice(0, most.word),
  description: finding.description.slice(0, most.text),
  uri: /^https?:\/\//.test(finding.uri) ? finding.uri.slice(0, most.text) : '',
  package: {
    ...finding.package,
    name: finding.package.name.slice(0, most.word),
    version: finding.package.version.slice(0, most.word),
  },
  ...(finding.fixedIn === undefined ? {} : { fixedIn: finding.fixedIn.slice(0, most.word) }),
  ...(finding.references
    ? { references: finding.references.slice(0, most.references).map((url) => url.slice(0, most.text)) }
    : {}),
});
