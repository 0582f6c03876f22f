import type { AccessRequest, Call, ResourceRef } from '../contract/index.ts';
import type { ContextLookup } from '../policy/index.ts';
import type { Caller } from './caller.ts';
import { parseArn } from '../kit/index.ts';
import { resourceAccount } from './resources.ts';

type Value = string | readonly string[] | undefined;

/** Global condition keys that come from the request (IAM user guide, "AWS global condition context keys"). */
const fromCall: Readonly<Record<string, (call: Call) => string | undefined>> = {
  __proto__: null as never,
  'aws:sourceip': (call) => call.sourceIp || undefined,
  'aws:useragent': (call) => call.userAgent || undefined,
  'aws:requestedregion': (call) => call.region,
  'aws:securetransport': (call) => String(call.endpoint.startsWith('https:')),
  'aws:currenttime': (call) => call.time.toISOString(),
  'aws:epochtime': (call) => String(Math.floor(call.time.getTime() / 1000)),
};

/**
 * The condition keys of one request about one resource: the caller's, the request's, the resource's, and then the
 * operation's own, which add to the others and replace none of them.
 */
export function requestContext(
  caller: Caller,
  access: AccessRequest,
  resource: ResourceRef,
  call: Call,
): ContextLookup {
  let operation: ReadonlyMap<string, Value> | undefined;
  return (key) => {
    const global = caller.keys.get(key) ?? fromCall[key]?.(call) ?? fromResource(key, access.action, resource);
    if (global !== undefined || access.context === undefined) return global;
    operation ??= new Map(Object.entries(access.context).map(([name, value]) => [name.toLowerCase(), value]));
    return operation.get(key);
  };
}

const resourceTag = ':resourcetag/';

/** `aws:ResourceTag/<key>`, which services also offer under their own name (`ecr:ResourceTag/<key>`). */
function fromResource(key: string, action: string, resource: ResourceRef): string | undefined {
  if (key === 'aws:resourceaccount') return resourceAccount(resource);
  const at = key.indexOf(resourceTag);
  if (at === -1 || resource.tags === undefined) return undefined;
  const vendor = key.slice(0, at);
  const offered =
    vendor === 'aws' || action.toLowerCase().startsWith(`${vendor}:`) || parseArn(resource.arn)?.service === vendor;
  if (!offered) return undefined;
  const wanted = key.slice(at + resourceTag.length);
  for (const [name, value] of Object.entries(resource.tags)) if (name.toLowerCase() === wanted) return value;
  return undefined;
}
