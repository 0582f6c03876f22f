export { Traffic, type PushedImage, seeded } from './traffic.ts';
