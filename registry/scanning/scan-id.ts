import type { Images } from '../images/index.ts';

/** Tells the findings of one scan from those of the next. */
export const newScanId = (context: Pick<Images['context'], 'random'>): string =>
  Buffer.from(context.random(8)).toString('hex');
