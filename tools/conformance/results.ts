/** What a registry offers, one row each in the report. */
export const apis = [
  'Tag listing',
  'Tag delete',
  'Tag delete atomic',
  'Blob upload cancel',
  'Blob push',
  'Blob post only',
  'Blob post put',
  'Blob chunked',
  'Blob streaming',
  'Blob mount',
  'Blob anonymous mount',
  'Blob get',
  'Blob get range',
  'Blob head',
  'Blob delete',
  'Blob delete atomic',
  'Manifest put by digest',
  'Manifest put by tag',
  'Manifest put with tag params',
  'Manifest put with subject',
  'Manifest get by digest',
  'Manifest get by tag',
  'Manifest head by digest',
  'Manifest head by tag',
  'Manifest delete',
  'Manifest delete atomic',
  'Referrers',
  'Ping',
] as const;

export type Api = (typeof apis)[number];

/** From the mildest to the worst; what is made of several parts is what its worst part is. */
export const statuses = ['disabled', 'skipped', 'passed', 'failed'] as const;

export type Status = (typeof statuses)[number];

export const worst = (found: readonly Status[]): Status | undefined =>
  statuses.findLast((status) => found.includes(status));

/** A group of cases, or a case: what has no groups below it. */
export class Result {
  /** The names of all above and its own, with slashes between. */
  readonly name: string;
  readonly children: Result[] = [];
  /** One for each check; a case may be several, of which the later need the earlier. */
  readonly outcomes: Status[] = [];
  readonly reasons: string[] = [];
  milliseconds = 0;

  constructor(name: string) {
    this.name = name;
  }

  child(name: string): Result {
    const child = new Result(this.name === '' ? name : `${this.name}/${name}`);
    this.children.push(child);
    return child;
  }

  note(status: Status, reasons: readonly string[] = []): void {
    this.outcomes.push(status);
    this.reasons.push(...reasons);
  }

  /** Undefined where nothing was checked. */
  get status(): Status | undefined {
    return worst([...this.outcomes, ...this.children.flatMap(({ status }) => status ?? [])]);
  }

  /** This and everything below, in the order of the run. */
  *walk(): Generator<Result> {
    yield this;
    for (const child of this.children) yield* child.walk();
  }
}
