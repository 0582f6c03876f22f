import type { TestContext } from 'vitest';

/** A test whose real part is missing says which: under CI by failing, elsewhere by being skipped. Call it first. */
export function needs(context: TestContext, ...missing: readonly (string | undefined)[]): void {
  const reasons = missing.filter((reason) => reason !== undefined);
  if (reasons.length === 0) return;
  const reason = reasons.join('; ');
  if (process.env['CI']) throw new Error(`this test must run in CI: ${reason}`);
  context.skip(reason);
}
