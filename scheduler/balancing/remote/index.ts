/** Engines on other hosts: they connect to a server, which drives them as it drives those of its own machine. */
export { type BalancerOptions, BalancerRefused, joinBalancing, leaveBalancing } from './client.ts';
export { namePattern } from './frames.ts';
export { type BalancerEndpoint, createBalancerEndpoint, remoteId } from './server.ts';
