export { upstreamRows } from './keys.ts';
export { type CacheRule, type CacheRules } from './rules.ts';
export { knownUpstreams, type UpstreamHosts, upstreamOf } from './hosts.ts';
export type { IncomingBlob } from './transfer.ts';
export {
  createUpstreams,
  type UpstreamCall,
  type UpstreamOptions,
  type Upstreams,
  type UpstreamSecret,
} from './upstreams.ts';
