import cvss from 'ae-cvss-calculator';

/** Severities as the ECR API names them, from the least to the worst; `UNDEFINED` stands for "nobody has said". */
export const severities = ['UNDEFINED', 'INFORMATIONAL', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'] as const;
export type Severity = (typeof severities)[number];

/** Negative when `a` is less severe than `b`. */
export const compareSeverity = (a: Severity, b: Severity): number => severities.indexOf(a) - severities.indexOf(b);

export interface Score {
  readonly vector: string;
  /** 0 to 10. */
  readonly score: number;
  /** `2.0`, `3.0`, `3.1` or `4.0`. */
  readonly version: string;
}

/** The base score of a CVSS vector of version 2, 3.0, 3.1 or 4.0; undefined for anything else. */
export function scoreOf(vector: string): Score | undefined {
  const version = versionOf(vector);
  if (version === undefined) return undefined;
  try {
    const { base, overall } = calculatorOf(version, vector).calculateScores() as { base?: number; overall?: number };
    const score = base ?? overall;
    return score === undefined || !(score >= 0 && score <= 10) ? undefined : { vector, score, version };
  } catch {
    // The library throws plain TypeErrors for vectors that are none.
    return undefined;
  }
}

/** Metrics without which a vector has no base score; the library would take them for "none". */
const mandatory = {
  '2.0': ['AV', 'AC', 'Au', 'C', 'I', 'A'],
  '3.0': ['AV', 'AC', 'PR', 'UI', 'S', 'C', 'I', 'A'],
  '3.1': ['AV', 'AC', 'PR', 'UI', 'S', 'C', 'I', 'A'],
  '4.0': ['AV', 'AC', 'AT', 'PR', 'UI', 'VC', 'VI', 'VA', 'SC', 'SI', 'SA'],
} as const;

function versionOf(vector: string): keyof typeof mandatory | undefined {
  if (vector.length > 500) return undefined;
  const [first = '', ...rest] = vector.split('/');
  const prefixed = /^CVSS:(3\.0|3\.1|4\.0)$/.exec(first)?.[1] as '3.0' | '3.1' | '4.0' | undefined;
  if (prefixed === undefined && first.startsWith('CVSS:')) return undefined;
  const version = prefixed ?? '2.0';
  const present = new Set((prefixed ? rest : [first, ...rest]).map((metric) => metric.split(':', 1)[0]));
  return mandatory[version].every((metric) => present.has(metric)) ? version : undefined;
}

function calculatorOf(version: keyof typeof mandatory, vector: string) {
  switch (version) {
    case '4.0':
      return new cvss.Cvss4P0(vector);
    case '3.1':
      return new cvss.Cvss3P1(vector);
    case '3.0':
      return new cvss.Cvss3P0(vector);
    case '2.0':
      return new cvss.Cvss2(vector);
  }
}

/** The rating scale of CVSS 3 and 4 (specification 3.1, section 5) in ECR's words. */
export function severityOfScore(score: number): Severity {
  if (score >= 9) return 'CRITICAL';
  if (score >= 7) return 'HIGH';
  if (score >= 4) return 'MEDIUM';
  return score > 0 ? 'LOW' : 'INFORMATIONAL';
}

const words: Readonly<Record<string, Severity>> = {
  critical: 'CRITICAL',
  important: 'HIGH',
  high: 'HIGH',
  error: 'HIGH',
  moderate: 'MEDIUM',
  medium: 'MEDIUM',
  warning: 'MEDIUM',
  low: 'LOW',
  note: 'LOW',
  negligible: 'INFORMATIONAL',
  unimportant: 'INFORMATIONAL',
  informational: 'INFORMATIONAL',
  none: 'INFORMATIONAL',
};

/** What a distribution, a scanner or GitHub calls a severity; undefined for `unknown` and the like. */
export function severityOfWord(word: unknown): Severity | undefined {
  const key = typeof word === 'string' ? word.toLowerCase() : '';
  return Object.hasOwn(words, key) ? words[key] : undefined;
}
