import { AwsError } from '@slipway/auth/contract';
import { requestTags, rowsOf, tagsAsSent } from '@slipway/auth/kit';

import {
  balancerArn,
  type Balancing,
  certificateArn,
  type CertificateRecord,
  classicArn,
  keyPairPurpose,
} from '../records/index.ts';

import { inUse, validation } from './errors.ts';
import { type AcmOperations, find, mayList, mayOn, operation, type Scene } from './operation.ts';
import {
  blob,
  byArn,
  detail,
  filters,
  importInput,
  list,
  nothing,
  number,
  type Of,
  required,
  secret,
  struct,
  summary,
  text,
  texts,
} from './shapes.ts';
import { acmTags } from './tagging.ts';
import { readImport } from './x509.ts';

/** Certificates of an account (ACM user guide, "Quotas"). */
const mostCertificates = 2500;
/** Names of a certificate that a list shows. */
const shownNames = 100;

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
      const before = input.CertificateArn === undefined ? undefined : find(scene, draft, input.CertificateArn);
      const tags = acmTags.parse(input.Tags);
      if (before !== undefined && Object.keys(tags).length > 0)
        throw validation('Tagging is not permitted on re-import.');
      if (before === undefined && draft.all('certificate').length >= mostCertificates)
        throw new AwsError(
          'LimitExceededException',
          `You have reached the maximum number of certificates. Delete certificates that are not in use: an account has at most ${mostCertificates}.`,
        );
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
    read: ({ CertificateArn }, scene, balancing) => {
      const record = find(scene, balancing, CertificateArn);
      return {
        Certificate: {
          ...common(scene, record),
          SubjectAlternativeNames: record.names,
          Serial: record.serial,
          Subject: record.subject,
          Issuer: record.issuer,
          SignatureAlgorithm: record.signatureAlgorithm,
          InUseBy: usersOf(scene, balancing, record),
          KeyUsages: record.keyUsages.map((name) => ({ Name: name })),
          ExtendedKeyUsages: record.extendedKeyUsages.map(({ name, oid }) => ({ Name: name, OID: oid })),
          Options: { CertificateTransparencyLoggingPreference: 'DISABLED', Export: 'DISABLED' },
        },
      };
    },
  }),
  GetCertificate: operation({
    input: struct('GetCertificateRequest', byArn),
    output: struct('GetCertificateResponse', { Certificate: text, CertificateChain: text }),
    access: mayOn('GetCertificate', ({ CertificateArn }) => CertificateArn),
    read: async ({ CertificateArn }, scene, balancing) => {
      const { id } = find(scene, balancing, CertificateArn);
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
      const keyOf = ({ createdAt, id }: CertificateRecord): string =>
        `${String(input.SortOrder === 'DESCENDING' ? Number.MAX_SAFE_INTEGER - createdAt : createdAt).padStart(16, '0')}/${id}`;
      const after = await api.pages.start(account, name, request);
      const now = Number(call.time);
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        rowsOf(balancing.all('certificate'), keyOf, after),
        (record) => (isListed(record, statuses, includes, now) ? summaryOf(scene, balancing, record) : undefined),
      );
      return { CertificateSummaryList: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
  DeleteCertificate: operation({
    input: struct('DeleteCertificateRequest', byArn),
    output: nothing,
    access: mayOn('DeleteCertificate', ({ CertificateArn }) => CertificateArn),
    change: ({ CertificateArn }, scene, draft) => {
      const record = find(scene, draft, CertificateArn);
      if (usersOf(scene, draft, record).length > 0) throw inUse(certificateArn(scene, record.id), scene.account);
      draft.remove('certificate', record.id);
      draft.removeKeyPair(record.id);
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

/** Of version 4, as ACM's ids are. */
function newId({ api }: Scene): string {
  const bytes = Buffer.from(api.random(16));
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

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

/** ARNs of the load balancers whose listeners have a certificate. */
function usersOf(scene: Scene, balancing: Balancing, { id }: CertificateRecord): readonly string[] {
  const arn = certificateArn(scene, id);
  return [
    ...balancing
      .all('loadbalancer')
      .filter((balancer) => balancing.listenersOf(balancer.id).some(({ certificates }) => certificates.includes(arn)))
      .map((balancer) => balancerArn(scene, balancer)),
    ...balancing
      .all('classic')
      .filter(({ listeners }) => listeners.some(({ certificate }) => certificate === arn))
      .map(({ name }) => classicArn(scene, name)),
  ];
}

const statusOf = ({ notAfter }: CertificateRecord, now: number): string => (now >= notAfter ? 'EXPIRED' : 'ISSUED');

function common(scene: Scene, record: CertificateRecord) {
  return {
    CertificateArn: certificateArn(scene, record.id),
    DomainName: record.domainName,
    Status: statusOf(record, Number(scene.call.time)),
    Type: 'IMPORTED',
    KeyAlgorithm: record.keyAlgorithm,
    RenewalEligibility: 'INELIGIBLE',
    NotBefore: new Date(record.notBefore),
    NotAfter: new Date(record.notAfter),
    CreatedAt: new Date(record.createdAt),
    ImportedAt: new Date(record.importedAt),
  };
}

function summaryOf(scene: Scene, balancing: Balancing, record: CertificateRecord): Of<typeof summary> {
  return {
    ...common(scene, record),
    SubjectAlternativeNameSummaries: record.names.slice(0, shownNames),
    HasAdditionalSubjectAlternativeNames: record.names.length > shownNames,
    KeyUsages: record.keyUsages,
    ExtendedKeyUsages: record.extendedKeyUsages.map(({ name }) => name),
    ExportOption: 'DISABLED',
    InUse: usersOf(scene, balancing, record).length > 0,
  };
}

/** Which keys are listed when nobody asks for others (ACM API reference, Filters). */
const usualKeys = ['RSA_1024', 'RSA_2048'];

/** Whether a list holds a certificate: each filter is one of alternatives, and all must hold. */
function isListed(
  record: CertificateRecord,
  statuses: readonly string[],
  { keyTypes = usualKeys, keyUsage, extendedKeyUsage, exportOption, managedBy }: Of<typeof filters>,
  now: number,
): boolean {
  const has = (wanted: readonly string[] | undefined, given: readonly string[]): boolean =>
    wanted === undefined || wanted.length === 0 || wanted.some((one) => given.includes(one));
  return (
    has(statuses, [statusOf(record, now)]) &&
    has(keyTypes, [record.keyAlgorithm]) &&
    has(keyUsage, record.keyUsages.length === 0 ? ['ANY'] : record.keyUsages) &&
    has(
      extendedKeyUsage,
      record.extendedKeyUsages.length === 0 ? ['NONE'] : record.extendedKeyUsages.map(({ name }) => name),
    ) &&
    (exportOption === undefined || exportOption === 'DISABLED') &&
    managedBy === undefined
  );
}
