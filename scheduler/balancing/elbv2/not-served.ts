import { unsupported } from './errors.ts';
import { type ElbOperations, may, operation } from './operation.ts';
import { nothing, struct } from './shapes.ts';

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

/** Whoever may call them is told why that does nothing here; others are denied as ever. */
export const notServedOperations: ElbOperations = Object.fromEntries(
  Object.entries(notServed).map(([name, instead]) => [
    name,
    operation({
      input: struct(`${name}Input`, {}),
      output: nothing,
      access: () => [may(name, [{ arn: '*' }])],
      read: (): never => {
        throw unsupported(name, instead);
      },
    }),
  ]),
);
