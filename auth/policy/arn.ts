import { type ArnParts, splitArn } from '../kit/index.ts';
import { anyRun, type ContextLookup, Glob, hasVariables, type Piece, resolve } from './pattern.ts';

/** A request's ARN, split once for the many patterns it is compared with. */
export interface ArnText {
  readonly text: string;
  readonly parts: ArnParts | undefined;
}

export function arnText(text: string): ArnText {
  return { text, parts: splitArn(text) };
}

/** Splits a pattern at the first five colons that stand in literal text (a variable's default may contain colons). */
export function splitPattern(pieces: readonly Piece[]): readonly (readonly Piece[])[] {
  const parts: Piece[][] = [[]];
  for (const piece of pieces) {
    let rest: Piece = piece;
    while (typeof rest === 'string' && parts.length < 6) {
      const colon = rest.indexOf(':');
      if (colon === -1) break;
      if (colon > 0) (parts.at(-1) as Piece[]).push(rest.slice(0, colon));
      parts.push([]);
      rest = rest.slice(colon + 1);
    }
    if (rest !== '') (parts.at(-1) as Piece[]).push(rest);
  }
  return parts;
}

/** Compares ARNs with a pattern. */
export interface ArnMatcher {
  /** False also when a variable of the pattern has no value; `resolvable` tells the two apart. */
  matches(arn: ArnText, lookup: ContextLookup): boolean;
  resolvable(lookup: ContextLookup): boolean;
}

const everything: ArnMatcher = { matches: () => true, resolvable: () => true };

const isEverything = (pieces: readonly Piece[]): boolean => pieces.length === 1 && pieces[0] === anyRun;

/**
 * Matches as the condition operators ArnEquals and ArnLike do: the six parts one by one, wildcards stay within their part.
 * @param pieces `*`, or a pattern of six parts (the caller has checked it)
 */
export function arnMatcher(pieces: readonly Piece[]): ArnMatcher {
  return isEverything(pieces) ? everything : partsMatcher(pieces, splitPattern(pieces));
}

/**
 * Matches as the Resource element does: as {@link arnMatcher}, but a `*` that ends the region or the account may reach
 * past the colon, so that `arn:aws:ecr:*` is every ARN of the service (IAM user guide, "Using wildcards in resource ARNs").
 * @param pieces `*`, a pattern of six parts, or a shorter one that ends with `*` (the caller has checked it)
 */
export function resourceMatcher(pieces: readonly Piece[]): ArnMatcher {
  if (isEverything(pieces)) return everything;
  const parts = splitPattern(pieces);
  const reaching = [3, 4].find((index) => parts[index]?.at(-1) === anyRun);
  if (reaching === undefined) return partsMatcher(pieces, parts);
  const joined = [
    ...parts.slice(0, reaching),
    parts.slice(reaching).flatMap((part, at) => (at === 0 ? part : [':', ...part])),
  ];
  return partsMatcher(pieces, joined);
}

/** Compares part by part; the last pattern covers the text's whole rest. */
function partsMatcher(pieces: readonly Piece[], parts: readonly (readonly Piece[])[]): ArnMatcher {
  if (!hasVariables(pieces)) {
    const globs = parts.map((part) => new Glob(part));
    return { matches: (arn) => matchParts(globs, arn.parts), resolvable: () => true };
  }
  return {
    matches(arn, lookup) {
      const globs: Glob[] = [];
      for (const part of parts) {
        const resolved = resolve(part, lookup);
        if (resolved === undefined) return false;
        globs.push(new Glob(resolved));
      }
      return matchParts(globs, arn.parts);
    },
    resolvable: (lookup) => resolve(pieces, lookup) !== undefined,
  };
}

function matchParts(globs: readonly Glob[], parts: ArnParts | undefined): boolean {
  if (parts === undefined) return false;
  const last = globs.length - 1;
  const rest = last === 5 ? parts[5] : parts.slice(last).join(':');
  // The last part differs most often, so it is looked at first.
  if (!(globs[last] as Glob).matches(rest)) return false;
  for (let index = last - 1; index >= 0; index--) {
    if (!(globs[index] as Glob).matches(parts[index] as string)) return false;
  }
  return true;
}
