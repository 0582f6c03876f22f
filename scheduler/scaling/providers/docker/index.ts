export { dockerProvider } from './docker.ts';
export { overlap, routes, unfit } from './addresses.ts';
export { whatLacks } from './programs.ts';
