export { type Authorizer, type DecidingStatement, type Decision } from './authorizer.ts';
export { deniedMessage } from './authorize.ts';
export {
  certificateFiles,
  type CertificateFiles,
  type CertificateSource,
  gaugeCertificate,
  type KeyPair,
} from './certificates.ts';
export { readBody } from './body.ts';
export { GatewayConfigError, ListenError } from './errors.ts';
export { createGateway, type Gateway, type GatewayRoute } from './gateway.ts';
export { type Listening, type ListenOptions } from './listener.ts';
export { type Log } from './log.ts';
export { defaultLimits, type GatewayOptions, type Limits, rateTable } from './options.ts';
export {
  type AccessList,
  type AccessRequest,
  type Answer,
  AwsError,
  awsJson,
  awsQuery,
  type Call,
  type ConditionContext,
  defineService,
  GatewayError,
  type Operation,
  type Operations,
  type Principal,
  type ProvenCaller,
  type ResourceRef,
  type ServiceDefinition,
  type UpgradeService,
  type WebRoute,
  type WebService,
  type WireProtocol,
} from './service.ts';
export { type Standing } from './standing.ts';
