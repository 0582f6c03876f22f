/**
 * What services are declared with, and the ports that identity fills: every room imports this one, and it imports none.
 */
export type { AccessList, AccessRequest, ConditionContext, ResourceRef } from './access.ts';
export type { Authorizer, DecidingStatement, Decision, FrontAuthorizer } from './authorizer.ts';
export { AwsError } from './aws-error.ts';
export { type Call, hostSecretHeader } from './call.ts';
export type { Constraint, Constraints } from './constraints.ts';
export type { Denial, DenialSink } from './denial.ts';
export { GatewayError, statusOf } from './gateway-error.ts';
export type { Log, LogFields } from './log.ts';
export type { Job, Part, PartGauge, PartHistogram } from './part.ts';
export type { PolicyPrincipals } from './policy-principals.ts';
export { barePrincipal, type Principal } from './principal.ts';
export type { Scope } from './scope.ts';
export {
  awsJson,
  awsQuery,
  defineService,
  ec2Query,
  type Operation,
  type Operations,
  restJson1,
  rpcV2Cbor,
  type SchemaModule,
  type ServiceDefinition,
  type ServiceLimits,
  type WireProtocol,
} from './service.ts';
export type { Standing } from './standing.ts';
export type { UpgradeService } from './upgrade.ts';
export { renderPlainError } from './render-error.ts';
export type { Answer, BrowserCalls, ProvenCaller, StreamedBody, WebRoute, WebService } from './web.ts';
