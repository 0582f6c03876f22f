export { denialRows } from './keys.ts';
export { type DenialOptions, type OpenDenials, openDenials } from './open-denials.ts';
