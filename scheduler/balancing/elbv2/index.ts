/** The API of Elastic Load Balancing, version 2015-12-01. */
export { createElbv2, type Elbv2Options, elbv2Schemas } from './create-elbv2.ts';
export { type BalancerLine, createOverview } from './overview.ts';
export { arnOfRecord, groupArn, readArn } from './names.ts';
export type { BalancerState, InstanceDirectory, Traffic } from './ports.ts';
/** What the classic API does the same way. */
export { checkAddress } from './listeners.ts';
export { certificateFor, type ServerCertificate, type ServerCertificates } from './server-certificates.ts';
export { groupsFor, inZones, placeFor, subnetsFor } from './load-balancers.ts';
export { checkName } from './names.ts';
export { may, mayList, someOf } from './operation.ts';
export { elbTags } from './tagging.ts';
