import fc, { configureGlobal, readConfigureGlobal } from 'fast-check';

/**
 * `fast-check` as all tests import it (vitest.config.ts): a usual run plays the same cases each time, so that a submission fails for what it
 * changed and not for a case that nobody drew before. The longer sizes draw others each time, and print the seed of what fails.
 */
if (!['nightly', 'release'].includes(process.env['SLIPWAY_TEST_SIZE'] ?? ''))
  configureGlobal({ ...readConfigureGlobal(), seed: 20_261 });

export * from 'fast-check';
export default fc;
