/** The records of load balancing, how they are read and changed, and what their attributes mean. */
export { type AddressPool, addressPool } from './addresses.ts';
export {
  balancerArn,
  balancerPath,
  certificateArn,
  certificateId,
  classicArn,
  isServerCertificate,
  listenerCertificateId,
  type Place,
  serverCertificateId,
} from './arns.ts';
export { certificateUsers } from './certificate-users.ts';
export { Balancing, groupsOfAction, listenerByName } from './balancing.ts';
export {
  type AttributeKind,
  attributeKind,
  attributeTables,
  type AttributeRule,
  effectiveAttributes,
  responseHeadersOf,
  readAttribute,
} from './attributes.ts';
export { classicGroupId, classicListenerId, readCheckTarget } from './classic.ts';
export { Draft } from './draft.ts';
export { carries, mostGroupsOfAction, needsHttps } from './forwarding.ts';
export { challengeAnswer, challengePath } from './challenges.ts';
export { balancingKeys, balancingPartition, balancingRows } from './keys.ts';
export type {
  ActionRecord,
  Attributes,
  BalancerType,
  BalancingRecords,
  BalancingType,
  CertificateRecord,
  ClassicListener,
  ClassicProtocol,
  ClassicRecord,
  ConditionRecord,
  EngineRecord,
  HealthCheckRecord,
  HealthRecord,
  KeyPairRecord,
  ListenerRecord,
  LoadBalancerRecord,
  NamedType,
  Protocol,
  ProtocolVersion,
  RequestedRecord,
  RuleRecord,
  Tags,
  TargetGroupRecord,
  TargetRecord,
} from './records.ts';
export { createKeyPairs, type KeyPair, keyPairPurpose } from './key-pairs.ts';
export {
  alpnPolicies,
  type AlpnPolicy,
  sslPolicies,
  type SslPolicy,
  sslPolicy,
  usualSslPolicy,
} from './ssl-policies.ts';
export { Balancers, type BalancersOptions, type Changed, mostInChange } from './store.ts';
