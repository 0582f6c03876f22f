import { refusalsOf } from '@slipway/auth/kit';

import { unsupported } from './errors.ts';
import { type ElbOperations, mayList } from './operation.ts';
import { nothing, operationSchema, struct } from './shapes.ts';

const trust = 'Clients are not asked for certificates, so there are no trust stores.';
const shared = 'Nothing of load balancing is shared between accounts.';

/** Operations of ELB's API that are not served, and what to do instead. */
export const notServed: Readonly<Record<string, string>> = {
  ModifyCapacityReservation: 'Load balancers are as large as the hosts that carry their traffic.',
  ModifyIpPools: 'Load balancers have addresses of SLIPWAY_LB_ADDRESSES.',
  CreateTrustStore: trust,
  DescribeTrustStores: trust,
  ModifyTrustStore: trust,
  DeleteTrustStore: trust,
  AddTrustStoreRevocations: trust,
  RemoveTrustStoreRevocations: trust,
  DescribeTrustStoreAssociations: trust,
  DescribeTrustStoreRevocations: trust,
  GetTrustStoreCaCertificatesBundle: trust,
  GetTrustStoreRevocationContent: trust,
  DeleteSharedTrustStoreAssociation: shared,
  GetResourcePolicy: shared,
};

export const notServedOperations: ElbOperations = refusalsOf(notServed, {
  operationSchema,
  inputOf: (name) => struct(`${name}Input`, {}),
  nothing,
  mayList,
  unsupported,
});
