import { AwsError } from '@slipway/auth/contract';

import {
  type CertificateRecord,
  type Draft,
  type KeyPairRecord,
  listenerCertificateId,
  type Place,
  serverCertificateId,
} from '../records/index.ts';

/** A server certificate of IAM's as listeners have it: its key sealed for its place in the records; or why no engine could serve it. */
export type ServerCertificate =
  | {
      readonly details: Omit<CertificateRecord, 'id' | 'tags' | 'createdAt' | 'importedAt'>;
      readonly keyPair: KeyPairRecord;
    }
  | { readonly unusable: string };

/** The server certificates of IAM. */
export interface ServerCertificates {
  /** @param id of its place in the records. @returns undefined when IAM has none of the ARN */
  find(place: Place, arn: string, id: string, now: number): Promise<ServerCertificate | undefined>;
}

/** Where a listener is given a certificate. */
type Giving = Place & { readonly api: { readonly serverCertificates: ServerCertificates } };

/**
 * A certificate that is there, in the same commit: of ACM's API, or of IAM. That of IAM is copied to the others, its key sealed, when the
 * first listener gets it: what engines serve is in the records that they follow. IAM asks before it lets go of one.
 * @param missing what an API says of one that is not. @throws CertificateNotFound, InvalidConfigurationRequest
 */
export async function certificateFor(
  scene: Giving,
  draft: Draft,
  arn = '',
  missing: (shown: string) => string = (shown) => `Certificate '${shown}' not found`,
): Promise<string> {
  const { region, account } = scene;
  const place = { region, account };
  if (draft.get('certificate', listenerCertificateId(place, arn)) !== undefined) return arn;
  const id = serverCertificateId(place, arn);
  const found = id === undefined ? undefined : await scene.api.serverCertificates.find(place, arn, id, draft.now);
  if (id === undefined || found === undefined) throw new AwsError('CertificateNotFound', missing(arn.slice(0, 200)));
  if ('unusable' in found)
    throw new AwsError(
      'InvalidConfigurationRequest',
      `The server certificate '${arn.slice(0, 200)}' cannot be served: ${found.unusable}`,
    );
  draft.put('certificate', { ...found.details, id, tags: {}, createdAt: draft.now, importedAt: draft.now });
  draft.putKeyPair(id, found.keyPair);
  return arn;
}
