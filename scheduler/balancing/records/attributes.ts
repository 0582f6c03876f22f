import type { ListenerRecord, LoadBalancerRecord, TargetGroupRecord } from './records.ts';

/**
 * The attributes of load balancers, target groups and listeners with what they are when nobody sets them (ELB user guides, "Load balancer
 * attributes", "Target group attributes", "Listener attributes"). A value is accepted only when something acts on it, or when it asks for
 * what is so anyway.
 */
export interface AttributeRule {
  /** What it is when nobody set it. */
  readonly usual: string;
  /** What is wrong with a value; undefined when it is good. The value has at most 1024 characters. */
  readonly problem: (value: string) => string | undefined;
}

/** Which attributes something has. */
export type AttributeKind =
  | 'application'
  | 'network'
  | 'http-group'
  | 'stream-group'
  | 'http-listener'
  | 'https-listener'
  | 'stream-listener';

const oneOf =
  (...values: readonly string[]) =>
  (value: string): string | undefined =>
    values.includes(value) ? undefined : `Valid values are ${values.join(', ')}.`;

const whole =
  (least: number, most: number, ...besides: readonly string[]) =>
  (value: string): string | undefined =>
    besides.includes(value) ||
    (/^(?:0|[1-9][0-9]{0,9})$/.test(value) && Number(value) >= least && Number(value) <= most)
      ? undefined
      : `The value must be a whole number from ${least} to ${most}${besides.map((one) => ` or ${one}`).join('')}.`;

const flag = (usual: boolean): AttributeRule => ({ usual: String(usual), problem: oneOf('true', 'false') });
const numeric = (usual: number, least: number, most: number, ...besides: readonly string[]): AttributeRule => ({
  usual: String(usual),
  problem: whole(least, most, ...besides),
});
const choice = (usual: string, ...others: readonly string[]): AttributeRule => ({
  usual,
  problem: oneOf(usual, ...others),
});
/** One that nothing acts on: it may be set to what it is. @param instead what to do instead */
const only = (usual: string, instead: string): AttributeRule => ({
  usual,
  problem: (value) => (value === usual ? undefined : `Only '${usual}' is supported by this installation. ${instead}`),
});

const noLogs = 'Logs are not written to S3: read the audit log and the metrics of this installation.';
const logs = (name: string): Readonly<Record<string, AttributeRule>> => ({
  [`${name}.s3.enabled`]: only('false', noLogs),
  [`${name}.s3.bucket`]: only('', noLogs),
  [`${name}.s3.prefix`]: only('', noLogs),
});
const noShift = 'There are no zonal shifts.';
const noIpv6 = 'Load balancers have IPv4 addresses.';

const everyBalancer: Readonly<Record<string, AttributeRule>> = {
  'deletion_protection.enabled': flag(false),
  ...logs('access_logs'),
  'ipv6.deny_all_igw_traffic': only('false', noIpv6),
  'zonal_shift.config.enabled': only('false', noShift),
};

const application: Readonly<Record<string, AttributeRule>> = {
  ...everyBalancer,
  'load_balancing.cross_zone.enabled': only('true', 'An Application Load Balancer sends to targets in all zones.'),
  ...logs('connection_logs'),
  ...logs('health_check_logs'),
  'idle_timeout.timeout_seconds': numeric(60, 1, 4000),
  'client_keep_alive.seconds': numeric(3600, 60, 604_800),
  'routing.http.desync_mitigation_mode': {
    usual: 'defensive',
    problem: (value) =>
      value === 'monitor'
        ? 'Requests that servers may understand in two ways are never sent on here: use defensive or strictest.'
        : oneOf('defensive', 'strictest')(value),
  },
  'routing.http.drop_invalid_header_fields.enabled': flag(false),
  'routing.http.preserve_host_header.enabled': flag(false),
  'routing.http.x_amzn_tls_version_and_cipher_suite.enabled': flag(false),
  'routing.http.xff_client_port.enabled': flag(false),
  'routing.http.xff_header_processing.mode': choice('append', 'preserve', 'remove'),
  'routing.http2.enabled': flag(true),
  'waf.fail_open.enabled': only('false', 'There is no web application firewall.'),
};

const network: Readonly<Record<string, AttributeRule>> = {
  ...everyBalancer,
  // It has one address, so both mean the same: all targets.
  'load_balancing.cross_zone.enabled': flag(false),
  'dns_record.client_routing_policy': only('any_availability_zone', 'A load balancer has one address for all zones.'),
  'secondary_ips.auto_assigned.per_subnet': only('0', 'A load balancer has one address.'),
};

const noFailover = 'Names of load balancers do not follow the health of targets.';
const everyGroup: Readonly<Record<string, AttributeRule>> = {
  'deregistration_delay.timeout_seconds': numeric(300, 0, 3600),
  'stickiness.enabled': flag(false),
  'load_balancing.cross_zone.enabled': {
    usual: 'use_load_balancer_configuration',
    problem: (value) =>
      value === 'false'
        ? 'A load balancer has one address, and sends to targets in all zones: use true or use_load_balancer_configuration.'
        : oneOf('use_load_balancer_configuration', 'true')(value),
  },
  'target_group_health.dns_failover.minimum_healthy_targets.count': only('1', noFailover),
  'target_group_health.dns_failover.minimum_healthy_targets.percentage': only('off', noFailover),
  'target_group_health.unhealthy_state_routing.minimum_healthy_targets.count': numeric(1, 1, 1000),
  'target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage': {
    usual: 'off',
    problem: whole(1, 100, 'off'),
  },
};

const httpGroup: Readonly<Record<string, AttributeRule>> = {
  ...everyGroup,
  'stickiness.type': choice('lb_cookie', 'app_cookie'),
  'load_balancing.algorithm.type': choice('round_robin', 'least_outstanding_requests', 'weighted_random'),
  'load_balancing.algorithm.anomaly_mitigation': only('off', 'Targets are judged by their health checks alone.'),
  'slow_start.duration_seconds': {
    usual: '0',
    problem: (value) => (value === '0' ? undefined : whole(30, 900, '0')(value)),
  },
  'stickiness.app_cookie.cookie_name': {
    usual: '',
    // RFC 6265, `cookie-name`: a token.
    problem: (value) =>
      value === '' || (/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/.test(value) && !value.startsWith('AWSALB'))
        ? undefined
        : 'It must be the name of a cookie, and not begin with AWSALB.',
  },
  'stickiness.app_cookie.duration_seconds': numeric(86_400, 1, 604_800),
  'stickiness.lb_cookie.duration_seconds': numeric(86_400, 1, 604_800),
  // Of this installation: what an Application Load Balancer has no words for.
  'slipway.retry_safe_requests.enabled': flag(true),
  'slipway.fresh_connections.enabled': flag(false),
};

const streamGroup: Readonly<Record<string, AttributeRule>> = {
  ...everyGroup,
  'stickiness.type': choice('source_ip'),
  'deregistration_delay.connection_termination.enabled': flag(false),
  'preserve_client_ip.enabled': only(
    'false',
    'Connections to targets come from the load balancer: use proxy_protocol_v2.enabled to tell them who called.',
  ),
  'proxy_protocol_v2.enabled': flag(false),
  'target_health_state.unhealthy.connection_termination.enabled': flag(true),
  'target_health_state.unhealthy.draining_interval_seconds': only('0', 'Set connection termination instead.'),
};

/** What may stand in a header's value (RFC 9110, section 5.5), without control characters. */
const headerValue: AttributeRule = {
  usual: '',
  problem: (value) => (/^[\x20-\x7e]*$/.test(value) ? undefined : 'A header value has printable ASCII characters.'),
};
const responseHeaders = [
  'strict_transport_security',
  'access_control_allow_origin',
  'access_control_allow_methods',
  'access_control_allow_headers',
  'access_control_allow_credentials',
  'access_control_expose_headers',
  'access_control_max_age',
  'content_security_policy',
  'x_content_type_options',
  'x_frame_options',
] as const;
const requestHeaders = [
  'mtls_clientcert_serial_number',
  'mtls_clientcert_issuer',
  'mtls_clientcert_subject',
  'mtls_clientcert_validity',
  'mtls_clientcert_leaf',
  'mtls_clientcert',
  'tls_version',
  'tls_cipher_suite',
] as const;

const httpListener: Readonly<Record<string, AttributeRule>> = {
  'routing.http.response.server.enabled': flag(true),
  ...Object.fromEntries(responseHeaders.map((name) => [`routing.http.response.${name}.header_value`, headerValue])),
};
const httpsListener: Readonly<Record<string, AttributeRule>> = {
  ...httpListener,
  ...Object.fromEntries(
    requestHeaders.map((name) => [
      `routing.http.request.x_amzn_${name}.header_name`,
      only('', 'These headers keep their names.'),
    ]),
  ),
};

/** The attributes of everything that has some, by key. */
export const attributeTables: Readonly<Record<AttributeKind, Readonly<Record<string, AttributeRule>>>> = {
  application,
  network,
  'http-group': httpGroup,
  'stream-group': streamGroup,
  'http-listener': httpListener,
  'https-listener': httpsListener,
  'stream-listener': { 'tcp.idle_timeout.seconds': numeric(350, 60, 6000) },
};

type HasAttributes = LoadBalancerRecord | TargetGroupRecord | ListenerRecord;

export function attributeKind(record: HasAttributes): AttributeKind {
  if ('scheme' in record) return record.type;
  const { protocol } = record;
  if ('targetType' in record) return protocol === 'HTTP' || protocol === 'HTTPS' ? 'http-group' : 'stream-group';
  if (protocol === 'HTTP') return 'http-listener';
  return protocol === 'HTTPS' ? 'https-listener' : 'stream-listener';
}

/** Every attribute that something has, with what it is. */
export function effectiveAttributes(record: HasAttributes): Readonly<Record<string, string>> {
  const table = attributeTables[attributeKind(record)];
  return Object.fromEntries(
    Object.entries(table).map(([key, { usual }]) => [key, record.attributes[key] ?? usual] as const),
  );
}

/** What one attribute is. @throws when what it is asked of has no such attribute, which is a mistake in the code */
export function readAttribute(record: HasAttributes, key: string): string {
  const rule = attributeTables[attributeKind(record)][key];
  if (rule === undefined) throw new Error(`${record.id} has no attribute ${key}`);
  return record.attributes[key] ?? rule.usual;
}

/** The header that a listener's attribute of a response header is about: `x_frame_options` is `x-frame-options`. */
export const responseHeadersOf = (listener: ListenerRecord): Readonly<Record<string, string>> =>
  Object.fromEntries(
    responseHeaders.flatMap((name) => {
      const value = readAttribute(listener, `routing.http.response.${name}.header_value`);
      return value === '' ? [] : [[name.replaceAll('_', '-'), value]];
    }),
  );
