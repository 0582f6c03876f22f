import { BlockList, isIP } from 'node:net';
import { arnMatcher, arnText, splitPattern } from './arn.ts';
import { anyRun, type ContextLookup, Glob, hasVariables, type Piece, readPattern, resolve } from './pattern.ts';

/** Decides whether one value of the request matches one value of the policy. */
export type ValueTest = (value: string, lookup: ContextLookup) => boolean;

export interface Operator {
  /** As people write it. */
  readonly name: string;
  /** A negated operator is true when none of the policy's values match. */
  readonly negated: boolean;
  /**
   * Compiles one value of the policy.
   * @param variables whether `${…}` is a variable here (policy version 2012-10-17)
   * @returns undefined when the value is not one this operator can compare with
   */
  compile(value: string, variables: boolean): ValueTest | undefined;
}

type Compile = Operator['compile'];

/** A test over a pattern: compiled once, or at every request when the pattern has variables. */
function withPattern(value: string, wildcards: boolean, variables: boolean, fold: boolean): ValueTest | undefined {
  const read = readPattern(value, { wildcards, variables });
  if (read === undefined) return undefined;
  const lower = (piece: Piece): Piece => (fold && typeof piece === 'string' ? piece.toLowerCase() : piece);
  const text = (given: string): string => (fold ? given.toLowerCase() : given);
  if (!hasVariables(read)) {
    const glob = new Glob(read.map(lower));
    return (given) => glob.matches(text(given));
  }
  return (given, lookup) => {
    const resolved = resolve(read, lookup);
    return resolved !== undefined && new Glob(resolved.map(lower)).matches(text(given));
  };
}

const stringEquals: Compile = (value, variables) => withPattern(value, false, variables, false);
const stringEqualsIgnoreCase: Compile = (value, variables) => withPattern(value, false, variables, true);
const stringLike: Compile = (value, variables) => withPattern(value, true, variables, false);

/** IAM's ArnEquals and ArnLike are one operator: six parts, wildcards within each. */
const arnLike: Compile = (value, variables) => {
  const read = readPattern(value, { wildcards: true, variables });
  if (read === undefined) return undefined;
  const whole = read.length === 1 && (read[0] === anyRun || typeof read[0] === 'object');
  if (!whole && splitPattern(read).length !== 6) return undefined;
  if (whole && read[0] !== anyRun) {
    // A pattern that is nothing but a variable (`${aws:SourceArn}`): the whole value is compared.
    return (given, lookup) => {
      const resolved = resolve(read, lookup);
      return resolved !== undefined && new Glob(resolved).matches(given);
    };
  }
  const matcher = arnMatcher(read);
  return (given, lookup) => matcher.matches(arnText(given), lookup);
};

const decimal = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?$/;

function readNumber(text: string): number | undefined {
  return decimal.test(text) ? Number(text) : undefined;
}

const isoDate = /^\d{4}(?:-\d{2}(?:-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?)?)?$/;

/** Milliseconds since the epoch of an ISO 8601 date (UTC unless it says otherwise) or of epoch seconds. */
function readDate(text: string): number | undefined {
  // Four digits are a year of ISO 8601, as the W3C profile has it; any other number is seconds since the epoch.
  if (isoDate.test(text)) {
    const zoned = text.includes('T') && !/(?:Z|[+-]\d{2}:?\d{2})$/.test(text) ? `${text}Z` : text;
    const time = Date.parse(
      zoned.replace(/([+-]\d{2})(\d{2})$/, (whole, hours: string, minutes: string) =>
        zoned.includes('T') ? `${hours}:${minutes}` : whole,
      ),
    );
    return Number.isNaN(time) ? undefined : time;
  }
  const seconds = readNumber(text);
  return seconds === undefined ? undefined : seconds * 1000;
}

const ordered =
  (read: (text: string) => number | undefined, holds: (value: number, limit: number) => boolean): Compile =>
  (limitText) => {
    const limit = read(limitText);
    if (limit === undefined) return undefined;
    return (given) => {
      const value = read(given);
      return value !== undefined && holds(value, limit);
    };
  };

const equals = (value: number, limit: number): boolean => value === limit;
const less = (value: number, limit: number): boolean => value < limit;
const lessEquals = (value: number, limit: number): boolean => value <= limit;
const greater = (value: number, limit: number): boolean => value > limit;
const greaterEquals = (value: number, limit: number): boolean => value >= limit;

const bool: Compile = (value) => {
  const wanted = value.toLowerCase();
  if (wanted !== 'true' && wanted !== 'false') return undefined;
  return (given) => given.toLowerCase() === wanted;
};

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const binaryEquals: Compile = (value) => (base64.test(value) ? (given) => given === value : undefined);

const ipAddress: Compile = (value) => {
  const slash = value.indexOf('/');
  const address = slash === -1 ? value : value.slice(0, slash);
  const family = isIP(address);
  if (family === 0 || address.includes('%')) return undefined;
  const bits = family === 4 ? 32 : 128;
  const prefixText = slash === -1 ? String(bits) : value.slice(slash + 1);
  if (!/^\d{1,3}$/.test(prefixText) || Number(prefixText) > bits) return undefined;
  const block = new BlockList();
  block.addSubnet(address, Number(prefixText), family === 4 ? 'ipv4' : 'ipv6');
  return (given) => {
    const kind = isIP(given);
    return kind !== 0 && block.check(given, kind === 4 ? 'ipv4' : 'ipv6');
  };
};

const both = (positive: string, negative: string, compile: Compile): readonly Operator[] => [
  { name: positive, negated: false, compile },
  { name: negative, negated: true, compile },
];

const one = (name: string, compile: Compile): Operator => ({ name, negated: false, compile });

/**
 * Every condition operator but `Null`, which asks about the key and not its values (IAM user guide, "Condition
 * operators"). Names are matched without regard to case, as IAM does.
 */
export const operators: ReadonlyMap<string, Operator> = new Map(
  [
    ...both('StringEquals', 'StringNotEquals', stringEquals),
    ...both('StringEqualsIgnoreCase', 'StringNotEqualsIgnoreCase', stringEqualsIgnoreCase),
    ...both('StringLike', 'StringNotLike', stringLike),
    ...both('NumericEquals', 'NumericNotEquals', ordered(readNumber, equals)),
    one('NumericLessThan', ordered(readNumber, less)),
    one('NumericLessThanEquals', ordered(readNumber, lessEquals)),
    one('NumericGreaterThan', ordered(readNumber, greater)),
    one('NumericGreaterThanEquals', ordered(readNumber, greaterEquals)),
    ...both('DateEquals', 'DateNotEquals', ordered(readDate, equals)),
    one('DateLessThan', ordered(readDate, less)),
    one('DateLessThanEquals', ordered(readDate, lessEquals)),
    one('DateGreaterThan', ordered(readDate, greater)),
    one('DateGreaterThanEquals', ordered(readDate, greaterEquals)),
    one('Bool', bool),
    one('BinaryEquals', binaryEquals),
    ...both('IpAddress', 'NotIpAddress', ipAddress),
    ...both('ArnEquals', 'ArnNotEquals', arnLike),
    ...both('ArnLike', 'ArnNotLike', arnLike),
  ].map((each) => [each.name.toLowerCase(), each]),
);
