import type { HealthCheckRecord, Protocol, ProtocolVersion } from '../records/index.ts';

import { invalidConfiguration, validation } from './errors.ts';
import { flag, number, struct, text } from './shapes.ts';

/** Members of requests that say how targets are checked. */
export const healthCheckMembers = {
  HealthCheckProtocol: text,
  HealthCheckPort: text,
  HealthCheckEnabled: flag,
  HealthCheckPath: text,
  HealthCheckIntervalSeconds: number,
  HealthCheckTimeoutSeconds: number,
  HealthyThresholdCount: number,
  UnhealthyThresholdCount: number,
  Matcher: struct('Matcher', { HttpCode: text, GrpcCode: text }),
} as const;

/** What a request says of checks; what it leaves out stays, or is as ELB has it. */
export interface HealthCheckInput {
  readonly HealthCheckProtocol?: string | undefined;
  readonly HealthCheckPort?: string | undefined;
  readonly HealthCheckEnabled?: boolean | undefined;
  readonly HealthCheckPath?: string | undefined;
  readonly HealthCheckIntervalSeconds?: number | undefined;
  readonly HealthCheckTimeoutSeconds?: number | undefined;
  readonly HealthyThresholdCount?: number | undefined;
  readonly UnhealthyThresholdCount?: number | undefined;
  readonly Matcher?: { readonly HttpCode?: string | undefined; readonly GrpcCode?: string | undefined } | undefined;
}

interface Group {
  readonly protocol: Protocol;
  readonly protocolVersion?: ProtocolVersion;
}

/**
 * How targets of a group are checked (ELB API reference, CreateTargetGroup; reference section 1.5 for what is left out).
 * @param before how they were checked; undefined for a new group
 * @throws ValidationError, InvalidConfigurationRequest
 */
export function healthCheckFor(
  group: Group,
  given: HealthCheckInput,
  before: HealthCheckRecord | undefined,
): HealthCheckRecord {
  if (given.HealthCheckEnabled === false)
    throw invalidConfiguration('Health checks of targets of type instance and ip are always enabled');
  const protocol = protocolFor(group, given.HealthCheckProtocol ?? before?.protocol);
  const kept = before?.protocol === protocol || (before?.protocol !== 'TCP' && protocol !== 'TCP') ? before : undefined;
  const check: HealthCheckRecord = {
    protocol,
    port: portFor(given.HealthCheckPort ?? before?.port),
    interval: given.HealthCheckIntervalSeconds ?? before?.interval ?? 30,
    timeout: given.HealthCheckTimeoutSeconds ?? before?.timeout ?? usualTimeout(group, protocol),
    healthyThreshold: given.HealthyThresholdCount ?? before?.healthyThreshold ?? 5,
    unhealthyThreshold: given.UnhealthyThresholdCount ?? before?.unhealthyThreshold ?? 2,
    ...httpMembers(group, protocol, given, kept),
  };
  if (check.timeout >= check.interval)
    throw validation(`Health check timeout '${check.timeout}' must be smaller than the interval '${check.interval}'`);
  return check;
}

const isHttp = ({ protocol }: Group): boolean => protocol === 'HTTP' || protocol === 'HTTPS';

function usualTimeout(group: Group, protocol: HealthCheckRecord['protocol']): number {
  if (isHttp(group)) return 5;
  return protocol === 'HTTP' ? 6 : 10;
}

function protocolFor(group: Group, given: string | undefined): HealthCheckRecord['protocol'] {
  const usual = isHttp(group) ? 'HTTP' : 'TCP';
  const allowed = isHttp(group) ? ['HTTP', 'HTTPS'] : ['HTTP', 'HTTPS', 'TCP'];
  const protocol = given === undefined || given === '' ? usual : given;
  if (!allowed.includes(protocol))
    throw validation(`Health check protocol '${protocol}' must be one of '[${allowed.join(', ')}]'`);
  return protocol as HealthCheckRecord['protocol'];
}

function portFor(given: string | number | undefined = 'traffic-port'): HealthCheckRecord['port'] {
  if (given === 'traffic-port' || given === '') return 'traffic-port';
  if (!/^[1-9][0-9]{0,4}$/.test(String(given)) || Number(given) > 65_535)
    throw validation(`Health check port '${String(given).slice(0, 50)}' must be 'traffic-port' or from 1 to 65535`);
  return Number(given);
}

function httpMembers(
  group: Group,
  protocol: HealthCheckRecord['protocol'],
  { HealthCheckPath: path = '', Matcher: matcher = {} }: HealthCheckInput,
  before: HealthCheckRecord | undefined,
): Pick<HealthCheckRecord, 'path' | 'matcher'> {
  const { HttpCode: http = '', GrpcCode: grpc = '' } = matcher;
  if (protocol === 'TCP') {
    if (path !== '') throw validation('Health check path cannot be specified for health checks with protocol TCP');
    if (http !== '' || grpc !== '') throw validation('Matcher cannot be specified for health checks with protocol TCP');
    return {};
  }
  const isGrpc = group.protocolVersion === 'GRPC';
  if ((isGrpc ? http : grpc) !== '')
    throw validation(`Matcher must specify ${isGrpc ? 'GrpcCode' : 'HttpCode'} for this protocol version`);
  const usualPath = isGrpc ? '/AWS.ALB/healthcheck' : '/';
  const usualCodes = isGrpc ? '12' : isHttp(group) ? '200' : '200-399';
  return {
    path: path === '' ? (before?.path ?? usualPath) : checkedPath(path),
    matcher: checkedMatcher(group, isGrpc ? grpc : http) ?? before?.matcher ?? usualCodes,
  };
}

function checkedPath(path: string): string {
  // What may stand in a request line (RFC 9112, section 3): no spaces, nothing that is not ASCII.
  if (!/^\/[\x21-\x7e]{0,1023}$/.test(path))
    throw validation(
      `Health check path '${path.slice(0, 200)}' must begin with a '/' character, and can only contain printable ASCII characters, without spaces`,
    );
  return path;
}

function checkedMatcher(group: Group, codes: string): string | undefined {
  if (codes === '') return undefined;
  const [least, most] = group.protocolVersion === 'GRPC' ? [0, 99] : isHttp(group) ? [200, 499] : [200, 599];
  const ranges = rangesOf(codes);
  if (codes.length > 255 || ranges === undefined || ranges.some(([from, to]) => from > to || from < least || to > most))
    throw validation(
      `Health check matcher '${codes.slice(0, 200)}' must be codes or ranges from ${least} to ${most}, like '200,202' or '200-299'`,
    );
  return codes;
}

function rangesOf(codes: string): readonly (readonly [number, number])[] | undefined {
  const ranges: [number, number][] = [];
  for (const part of codes.split(',')) {
    const [, from, to = from] = /^([0-9]{1,3})(?:-([0-9]{1,3}))?$/.exec(part) ?? [];
    if (from === undefined) return undefined;
    ranges.push([Number(from), Number(to)]);
  }
  return ranges;
}
