/** What a store is stamped with, so that a version that does not understand it leaves it alone. */
export interface Format {
  /** What lies there, e.g. `records`. */
  readonly holds: string;
  /** Raised when the layout changes in a way that an older version would misread. */
  readonly version: number;
}

/** The store is not one that this version may use. The message is whole: what was found, and what to do. */
export class FormatRefused extends Error {
  override readonly name = 'FormatRefused';
}

/** The stamp as text, for stores that keep texts or files. */
export function stampOf({ holds, version }: Format): string {
  return `${JSON.stringify({ slipway: holds, format: version })}\n`;
}

/**
 * Compares a stamp that was found with what this version writes. An older one passes: who raises a format also carries over what
 * the older one left.
 * @param where names the store, as an operator knows it
 * @throws FormatRefused when it is newer, or no stamp for what lies there
 */
export function checkStamp(found: string, expected: Format, where: string): void {
  const { slipway, format } = parse(found);
  if (slipway !== expected.holds || !Number.isInteger(format) || Number(format) < 1) {
    throw foreign(where, expected.holds, `its stamp is ${JSON.stringify(found.slice(0, 80))}`);
  }
  checkVersion(Number(format), expected, where);
}

/** @throws FormatRefused when the number is above the newest that is known */
export function checkVersion(found: number, { version }: Format, where: string): void {
  if (found <= version) return;
  throw new FormatRefused(
    `${where} has format ${found}, which a newer version of Slipway wrote; this version knows formats up to ${version}. Start the newer version again, or restore a copy from before the upgrade.`,
  );
}

/** The refusal of what is somebody else's, or cut off. */
export function foreign(where: string, holds: string, why: string): FormatRefused {
  return new FormatRefused(
    `${where} does not hold ${holds} of Slipway (${why}). Name another place for them, or restore a copy if this was one.`,
  );
}

function parse(text: string): { readonly slipway?: unknown; readonly format?: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
