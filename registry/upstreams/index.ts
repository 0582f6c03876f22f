export { type CacheRule, type CacheRules } from './rules.ts';
export { knownUpstreams, type UpstreamHosts, upstreamOf } from './hosts.ts';
export { createUpstreams, type UpstreamOptions, type Upstreams, type UpstreamSecret } from './upstreams.ts';
