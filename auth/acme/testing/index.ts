export { Pebble, pebbleMissing, type PebbleSettings } from './pebble.ts';
