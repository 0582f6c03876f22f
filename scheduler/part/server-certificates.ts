import { AwsError } from '@slipway/auth/contract';
import type { Sealer } from '@slipway/auth/tokens';

import { readImport } from '../balancing/acm/index.ts';
import type { ServerCertificates } from '../balancing/elbv2/index.ts';
import {
  type Balancers,
  certificateUsers,
  keyPairPurpose,
  type Place,
  serverCertificateId,
} from '../balancing/records/index.ts';

import type { SchedulerPorts } from './ports.ts';

/** IAM's server certificates for listeners, as strictly read as those that ACM's API imports: what engines could not serve must not reach them. */
export const serverCertificates = (open: SchedulerPorts['serverCertificate'], sealer: Sealer): ServerCertificates => ({
  async find({ account }, arn, id, now) {
    const found = await open(account, arn);
    if (found === undefined) return undefined;
    try {
      const { certificate, privateKey, chain, details } = readImport({ chain: undefined, ...found }, now);
      const sealedKey = sealer.seal(privateKey, keyPairPurpose(account, id));
      return { details, keyPair: { certificate, ...(chain === undefined ? {} : { chain }), sealedKey } };
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      return { unusable: error.message };
    }
  },
});

/** Removes what listeners had of a server certificate of IAM's, unless one still has it. @returns ARNs of the load balancers that do */
export async function releaseServerCertificate(
  balancers: Balancers,
  place: Place,
  arn: string,
): Promise<readonly string[]> {
  const id = serverCertificateId(place, arn);
  const { result } = await balancers.change(place.account, (draft) => {
    const users = certificateUsers(place, draft, arn);
    if (users.length === 0 && id !== undefined && draft.get('certificate', id) !== undefined) {
      draft.remove('certificate', id);
      draft.removeKeyPair(id);
    }
    return users;
  });
  return result;
}
