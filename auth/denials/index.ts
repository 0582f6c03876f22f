export { denialRows } from './keys.ts';
export { type DenialOptions, type OpenDenials, openDenials, type ShownDenial } from './open-denials.ts';
