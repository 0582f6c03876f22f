/** Shapes of the classic API of ELB (2012-06-01), written by hand as those of the newer one are. */
import { refused, required, type Shape, type ShapeValue, shapesOf, simpleShapes } from '@slipway/auth/kit';

export { refused, required } from '@slipway/auth/kit';
export type Of<S> = ShapeValue<S>;

export const { text, number, flag, time } = simpleShapes;
export const { list, struct, operationSchema } = shapesOf({ namespace: 'com.amazonaws.elb' });

/** An answer without members. */
export const nothing: Shape<object> = struct('Unit', {});
export const texts: Shape<readonly string[]> = list(text);
export const tags = list(struct('Tag', { Key: text, Value: text }));

/** The one member that nearly every request has. */
export const byName = { LoadBalancerName: required(text) } as const;

export const listener = struct('Listener', {
  Protocol: required(text),
  LoadBalancerPort: required(number),
  InstanceProtocol: text,
  InstancePort: required(number),
  SSLCertificateId: text,
});
export const listeners = list(listener);
export const instances = list(struct('Instance', { InstanceId: text }));
export const healthCheck = struct('HealthCheck', {
  Target: required(text),
  Interval: required(number),
  Timeout: required(number),
  UnhealthyThreshold: required(number),
  HealthyThreshold: required(number),
});

const noLogs = 'Logs are not written to S3: read the audit log and the metrics of this installation.';
export const attributes = struct('LoadBalancerAttributes', {
  CrossZoneLoadBalancing: struct('CrossZoneLoadBalancing', { Enabled: required(flag) }),
  AccessLog: struct('AccessLog', {
    Enabled: required(refused(flag, noLogs)),
    S3BucketName: refused(text, noLogs),
    // It is sent with what it usually is when logs are off.
    EmitInterval: number,
    S3BucketPrefix: refused(text, noLogs),
  }),
  ConnectionDraining: struct('ConnectionDraining', { Enabled: required(flag), Timeout: number }),
  ConnectionSettings: struct('ConnectionSettings', { IdleTimeout: required(number) }),
  AdditionalAttributes: list(struct('AdditionalAttribute', { Key: text, Value: text })),
});

export const description = struct('LoadBalancerDescription', {
  LoadBalancerName: text,
  DNSName: text,
  CanonicalHostedZoneName: text,
  CanonicalHostedZoneNameID: text,
  ListenerDescriptions: list(struct('ListenerDescription', { Listener: listener, PolicyNames: texts })),
  Policies: struct('Policies', {
    AppCookieStickinessPolicies: list(struct('AppCookieStickinessPolicy', { PolicyName: text, CookieName: text })),
    LBCookieStickinessPolicies: list(struct('LBCookieStickinessPolicy', { PolicyName: text })),
    OtherPolicies: texts,
  }),
  BackendServerDescriptions: list(struct('BackendServerDescription', { InstancePort: number, PolicyNames: texts })),
  AvailabilityZones: texts,
  Subnets: texts,
  VPCId: text,
  Instances: instances,
  HealthCheck: healthCheck,
  SourceSecurityGroup: struct('SourceSecurityGroup', { OwnerAlias: text, GroupName: text }),
  SecurityGroups: texts,
  CreatedTime: time,
  Scheme: text,
});
