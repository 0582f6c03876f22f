import type { Answer } from './exchange.ts';
import { types } from './media-types.ts';

/** Why a check did not pass: the registry did wrong, or it says itself that it leaves this out. */
export interface Finding {
  readonly kind: 'failed' | 'unsupported';
  readonly text: string;
}

/** Collects what is wrong with the answers that one check looks at. Its questions tell whether it is worth going on. */
export class Check {
  readonly findings: Finding[] = [];

  get failed(): boolean {
    return this.findings.some(({ kind }) => kind === 'failed');
  }

  fail(text: string): false {
    this.findings.push({ kind: 'failed', text });
    return false;
  }

  /** What the specification leaves to the registry, and it chose to leave out. */
  unsupported(text: string): false {
    this.findings.push({ kind: 'unsupported', text });
    return false;
  }

  status(answer: Answer, ...expected: readonly number[]): boolean {
    if (expected.includes(answer.status)) return true;
    return this.fail(`${answer.what}: answered ${answer.status}, not ${expected.join(' or ')}${said(answer)}`);
  }

  /** A header must be there; with values, one of its lines must be one of them. */
  header(answer: Answer, name: string, ...values: readonly string[]): boolean {
    const lines = answer.headers[name.toLowerCase()] ?? [];
    if (lines.length === 0) return this.fail(`${answer.what}: there is no ${name}`);
    if (values.length === 0 || lines.some((line) => values.includes(line))) return true;
    return this.fail(`${answer.what}: ${name} is '${lines.join("', '")}', not '${values.join("' or '")}'`);
  }

  body(answer: Answer, expected: Buffer): boolean {
    if (answer.body.equals(expected)) return true;
    const { length } = answer.body;
    return this.fail(
      `${answer.what}: ${length === expected.length ? `other bytes than were pushed` : `${length} bytes came, not ${expected.length}`}`,
    );
  }

  /** Docker-Content-Digest must be right where it is given, and given where the version wants it. */
  digest(answer: Answer, expected: string, required: boolean): boolean {
    const given = answer.headers['docker-content-digest'];
    return given === undefined && !required ? true : this.header(answer, 'Docker-Content-Digest', expected);
  }

  /** Where the answer leads to. */
  location(answer: Answer): URL | undefined {
    if (!this.header(answer, 'Location')) return undefined;
    const text = answer.headers['location']?.[0] ?? '';
    if (URL.canParse(text, answer.url)) return new URL(text, answer.url);
    this.fail(`${answer.what}: Location '${text}' is no address`);
    return undefined;
  }

  /** A JSON object in the body. */
  object(answer: Answer): Readonly<Record<string, unknown>> | undefined {
    try {
      const value: unknown = JSON.parse(answer.body.toString());
      if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
    } catch {
      // Told below, like any other thing that is no object.
    }
    this.fail(`${answer.what}: the body is no JSON object`);
    return undefined;
  }

  /** The descriptors of an image index, as a referrers list must be one. */
  descriptors(answer: Answer): readonly Readonly<Record<string, unknown>>[] | undefined {
    this.header(answer, 'Content-Type', types.index);
    if (!this.status(answer, 200)) return undefined;
    const index = this.object(answer);
    if (index === undefined) return undefined;
    if (index['mediaType'] !== types.index || index['schemaVersion'] !== 2 || !Array.isArray(index['manifests'])) {
      this.fail(`${answer.what}: the body is no image index`);
      return undefined;
    }
    return index['manifests'].map((entry) => Object(entry) as Record<string, unknown>);
  }
}

/** The beginning of what a registry says about its refusal. */
function said({ body }: Answer): string {
  const text = body.subarray(0, 200).toString().replaceAll(/\s+/g, ' ').trim();
  return text === '' || !/^[\x20-\x7e]*$/.test(text) ? '' : `: ${text}`;
}
