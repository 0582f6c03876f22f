import type { Images } from '../images/index.ts';

/** Tells the findings of one scan from those of the next. */
export const newScanId = (ports: Pick<Images['ports'], 'random'>): string =>
  Buffer.from(ports.random(8)).toString('hex');
