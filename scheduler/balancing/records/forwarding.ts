import type { Protocol, ProtocolVersion, TargetGroupRecord } from './records.ts';

/** Groups that one action forwards to, at the most (ELB user guides, "Quotas"). */
export const mostGroupsOfAction = 5;

const isHttp = (protocol: Protocol): boolean => protocol === 'HTTP' || protocol === 'HTTPS';

/** Whether a listener can send to a group: TLS ends at a TLS listener; a TCP one sends what it gets. */
export const carries = (listener: Protocol, { protocol }: TargetGroupRecord): boolean =>
  isHttp(listener) ? isHttp(protocol) : listener === 'TLS' ? !isHttp(protocol) : protocol === 'TCP';

/** Whether a group speaks what only clients of HTTPS listeners do. */
export const needsHttps = (
  group: TargetGroupRecord,
): group is TargetGroupRecord & { readonly protocolVersion: ProtocolVersion } =>
  group.protocolVersion !== undefined && group.protocolVersion !== 'HTTP1';
