import { AwsError } from '@slipway/auth/contract';
import { requestTags, rowsOf, tagsAsSent } from '@slipway/auth/kit';

import {
  type Balancing,
  certificateArn,
  type CertificateRecord,
  isServerCertificate,
  keyPairPurpose,
} from '../records/index.ts';

import { detailOf, isListed, summaryOf } from './describing.ts';
import { inProgress, inUse, limitExceeded, notFound, validation } from './errors.ts';
import { type AcmOperations, find, type Held, heldOf, mayList, mayOn, newId, operation } from './operation.ts';
import {
  blob,
  byArn,
  detail,
  filters,
  importInput,
  list,
  nothing,
  number,
  required,
  secret,
  struct,
  summary,
  text,
  texts,
} from './shapes.ts';
import { isUsed } from './users.ts';
import { acmTags } from './tagging.ts';
import { readImport } from './x509.ts';

/** Certificates with their keys: imported, shown without the keys, imported again when they end, and deleted. */
export const certificateOperations: AcmOperations = {
  ImportCertificate: operation({
    input: importInput,
    output: struct('ImportCertificateResponse', { CertificateArn: text }),
    access: mayOn(
      'ImportCertificate',
      ({ CertificateArn }) => CertificateArn,
      ({ Tags }) => requestTags(tagsAsSent(Tags)),
    ),
    change: (input, scene, draft) => {
      const { api, account } = scene;
      const held = input.CertificateArn === undefined ? undefined : find(scene, draft, input.CertificateArn);
      if (held?.requested !== undefined)
        throw validation('A certificate that was requested cannot be imported: it is renewed by itself.');
      const before = held?.certificate;
      const tags = acmTags.parse(input.Tags);
      if (before !== undefined && Object.keys(tags).length > 0)
        throw validation('Tagging is not permitted on re-import.');
      if (before === undefined) checkRoom(draft);
      const imported = readImport(
        {
          certificate: textOf(input.Certificate),
          privateKey: textOf(input.PrivateKey),
          chain: input.CertificateChain === undefined ? undefined : textOf(input.CertificateChain),
        },
        draft.now,
      );
      if (before !== undefined) checkAgain(before, imported.details);
      const id = before?.id ?? newId(scene);
      draft.put('certificate', {
        ...imported.details,
        id,
        tags: before?.tags ?? tags,
        createdAt: before?.createdAt ?? draft.now,
        importedAt: draft.now,
      });
      draft.putKeyPair(id, {
        certificate: imported.certificate,
        ...(imported.chain === undefined ? {} : { chain: imported.chain }),
        sealedKey: api.sealer.seal(imported.privateKey, keyPairPurpose(account, id)),
      });
      return { CertificateArn: certificateArn(scene, id) };
    },
    answer: (made) => made,
  }),
  DescribeCertificate: operation({
    input: struct('DescribeCertificateRequest', byArn),
    output: struct('DescribeCertificateResponse', { Certificate: detail }),
    access: mayOn('DescribeCertificate', ({ CertificateArn }) => CertificateArn),
    read: ({ CertificateArn }, scene, balancing) => ({
      Certificate: detailOf(scene, balancing, find(scene, balancing, CertificateArn)),
    }),
  }),
  GetCertificate: operation({
    input: struct('GetCertificateRequest', byArn),
    output: struct('GetCertificateResponse', { Certificate: text, CertificateChain: text }),
    access: mayOn('GetCertificate', ({ CertificateArn }) => CertificateArn),
    read: async ({ CertificateArn }, scene, balancing) => {
      const { id, certificate, requested } = find(scene, balancing, CertificateArn);
      if (certificate === undefined)
        throw requested?.state === 'pending' ? inProgress(CertificateArn) : notFound(CertificateArn);
      const pair = await scene.api.balancers.keyPair(scene.account, id);
      // Deleted a moment ago.
      if (pair === undefined) find(scene, await scene.api.balancers.read(scene.account), CertificateArn);
      return {
        Certificate: pair?.certificate,
        ...(pair?.chain === undefined ? {} : { CertificateChain: pair.chain }),
      };
    },
  }),
  ListCertificates: operation({
    input: struct('ListCertificatesRequest', {
      CertificateStatuses: texts,
      Includes: filters,
      NextToken: text,
      MaxItems: number,
      SortBy: text,
      SortOrder: text,
    }),
    output: struct('ListCertificatesResponse', { NextToken: text, CertificateSummaryList: list(summary) }),
    access: mayList('ListCertificates'),
    read: async (input, scene, balancing) => {
      const { api, account, call } = scene;
      if ((input.SortBy === undefined) !== (input.SortOrder === undefined))
        throw new AwsError('InvalidArgsException', 'SortBy and SortOrder must be given together.');
      const { CertificateStatuses: statuses = [], Includes: includes = {} } = input;
      const name = ['ListCertificates', statuses, includes, input.SortOrder];
      const request = { maxResults: input.MaxItems, nextToken: input.NextToken };
      const keyOf = ({ id, certificate, requested }: Held): string => {
        const { createdAt } = requested ?? (certificate as CertificateRecord);
        return `${String(input.SortOrder === 'DESCENDING' ? Number.MAX_SAFE_INTEGER - createdAt : createdAt).padStart(16, '0')}/${id}`;
      };
      const after = await api.pages.start(account, name, request);
      const now = Number(call.time);
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        rowsOf(allOf(balancing), keyOf, after),
        (held) => (isListed(held, statuses, includes, now) ? summaryOf(scene, balancing, held) : undefined),
      );
      return { CertificateSummaryList: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
  DeleteCertificate: operation({
    input: struct('DeleteCertificateRequest', byArn),
    output: nothing,
    access: mayOn('DeleteCertificate', ({ CertificateArn }) => CertificateArn),
    change: ({ CertificateArn }, scene, draft) => {
      const { id, certificate, requested } = find(scene, draft, CertificateArn);
      if (isUsed(scene, draft, id)) throw inUse(certificateArn(scene, id), scene.account);
      if (requested !== undefined) draft.remove('requested', id);
      if (certificate === undefined) return;
      draft.remove('certificate', id);
      draft.removeKeyPair(id);
    },
    answer: () => ({}),
  }),
  ExportCertificate: operation({
    input: struct('ExportCertificateRequest', { ...byArn, Passphrase: required(secret(blob)) }),
    output: nothing,
    access: mayOn('ExportCertificate', ({ CertificateArn }) => CertificateArn),
    read: ({ CertificateArn }, scene, balancing): never => {
      find(scene, balancing, CertificateArn);
      throw validation(`Certificate ARN: ${CertificateArn} is not a private certificate`);
    },
  }),
};

/** PEM is ASCII; whatever else there is does not parse. */
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** Certificates of an account (ACM user guide, "Quotas"). */
const mostCertificates = 2500;

/** @throws LimitExceededException */
export function checkRoom(balancing: Balancing): void {
  if (allOf(balancing).length >= mostCertificates)
    throw limitExceeded(
      `You have reached the maximum number of certificates. Delete certificates that are not in use: an account has at most ${mostCertificates}.`,
    );
}

/** Everything that has an ARN of ACM's. */
const allOf = (balancing: Balancing): readonly Held[] =>
  [
    ...new Set(
      [...balancing.all('certificate'), ...balancing.all('requested')]
        .map(({ id }) => id)
        .filter((id) => !isServerCertificate(id)),
    ),
  ].flatMap((id) => heldOf(balancing, id) ?? []);

/**
 * What may not change when a certificate is imported again (ACM user guide, "Reimport a certificate"): listeners have chosen it for its
 * key, and clients for what it may be used for.
 */
function checkAgain(
  before: CertificateRecord,
  after: Pick<CertificateRecord, 'keyAlgorithm' | 'keyUsages' | 'extendedKeyUsages'>,
): void {
  if (after.keyAlgorithm !== before.keyAlgorithm)
    throw validation(
      `The key type and size of a certificate cannot be changed by importing it again: it has ${before.keyAlgorithm}, not ${after.keyAlgorithm}. Import another one.`,
    );
  const lacks = (had: readonly string[], has: readonly string[]): boolean =>
    has.length > 0 && had.some((one) => !has.includes(one));
  if (
    lacks(before.keyUsages, after.keyUsages) ||
    lacks(
      before.extendedKeyUsages.map(({ oid }) => oid),
      after.extendedKeyUsages.map(({ oid }) => oid),
    )
  )
    throw validation('Key usages of a certificate cannot be removed by importing it again. Import another one.');
}
