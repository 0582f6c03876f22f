/** What tests of engines and of load use: connections that send bytes as they are, and targets. */
export { cookieKey, listenerOf } from '../../../routing/testing/generate.ts';
export { anyTls, certificateFor } from './certificates.ts';
export { ask, freshAddress, openRaw, type RawAnswer, type RawClient, RawError, valueOf } from './raw.ts';
export { groupOf, startTarget } from './targets.ts';
