import { isIP } from 'node:net';

import { requestTags, tagsAsSent } from '@slipway/auth/kit';

import { certificateArn, type Draft, type RequestedRecord } from '../records/index.ts';

import { checkRoom } from './certificates.ts';
import { inProgress, invalidParameter, limitExceeded, unsupported, validation } from './errors.ts';
import { type AcmOperations, find, mayOn, newId, operation, type Scene } from './operation.ts';
import { byArn, list, nothing, type Of, required, struct, tags, text, texts } from './shapes.ts';
import { acmTags } from './tagging.ts';
import { isUsed } from './users.ts';

/** Names of a certificate (ACM user guide, "Quotas"). */
const mostNames = 10;
/** Requests that wait for their proof: each is an order that the authority counts. */
const mostPending = 100;
/** How long a token makes two calls one (ACM API reference, RequestCertificate). */
const tokenLife = 3_600_000;
/** What the first name may have, as it may become the common name (RFC 5280, ub-common-name). */
const longestFirst = 64;

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const keyAlgorithms = ['RSA_2048', 'EC_prime256v1', 'EC_secp384r1'] as const;

const input = struct('RequestCertificateRequest', {
  DomainName: required(text),
  ValidationMethod: text,
  SubjectAlternativeNames: texts,
  IdempotencyToken: text,
  DomainValidationOptions: list(
    struct('DomainValidationOption', { DomainName: required(text), ValidationDomain: required(text) }),
  ),
  Options: struct('CertificateOptions', { CertificateTransparencyLoggingPreference: text, Export: text }),
  CertificateAuthorityArn: text,
  Tags: tags,
  KeyAlgorithm: text,
  ManagedBy: text,
});

/** Certificates that the authority of the installation issues (ACME, RFC 8555), and renews. */
export const requestOperations: AcmOperations = {
  RequestCertificate: operation({
    input,
    output: struct('RequestCertificateResponse', { CertificateArn: text }),
    access: mayOn(
      'RequestCertificate',
      () => undefined,
      ({ DomainName, SubjectAlternativeNames = [], KeyAlgorithm, ValidationMethod = 'HTTP', Tags }) => ({
        ...requestTags(tagsAsSent(Tags)),
        'acm:DomainNames': namesOf(DomainName, SubjectAlternativeNames),
        'acm:ValidationMethod': ValidationMethod,
        'acm:KeyAlgorithm': KeyAlgorithm ?? keyAlgorithms[0],
      }),
    ),
    change: (given, scene, draft) => {
      const asked = read(given, scene);
      const known = before(draft, given.IdempotencyToken, asked);
      if (known !== undefined) return { CertificateArn: certificateArn(scene, known.id) };
      const parsed = acmTags.parse(given.Tags);
      checkRoom(draft);
      if (draft.all('requested').filter(({ state }) => state === 'pending').length >= mostPending)
        throw limitExceeded(
          `${mostPending} certificates are waiting for their names to be proved. Delete those that nobody needs, or wait.`,
        );
      const id = newId(scene);
      draft.put('requested', {
        ...asked,
        id,
        tags: parsed,
        ...(given.IdempotencyToken === undefined ? {} : { idempotencyToken: given.IdempotencyToken }),
        createdAt: draft.now,
        state: 'pending',
        due: draft.now,
        failures: 0,
        challenges: [],
      });
      return { CertificateArn: certificateArn(scene, id) };
    },
    answer: (made) => made,
  }),
  RenewCertificate: operation({
    input: struct('RenewCertificateRequest', byArn),
    output: nothing,
    access: mayOn('RenewCertificate', ({ CertificateArn }) => CertificateArn),
    change: ({ CertificateArn }, scene, draft) => {
      const { id, certificate, requested } = find(scene, draft, CertificateArn);
      if (requested === undefined)
        throw validation(
          'An imported certificate is not renewed. Import the new one under the same ARN: listeners serve it from then on.',
        );
      if (requested.state === 'pending') throw inProgress(CertificateArn);
      if (certificate === undefined || !isUsed(scene, draft, id))
        throw validation(`Certificate ${certificateArn(scene, id)} is not eligible for renewal: no listener has it.`);
      draft.put('requested', { ...requested, due: Math.min(requested.due, draft.now) });
    },
    answer: () => ({}),
  }),
};

/** In lower case, each once, the first one first. */
const namesOf = (first: string, others: readonly string[]): readonly string[] => [
  ...new Set([first, ...others].map((name) => name.toLowerCase())),
];

/** @throws what ACM says of requests that cannot be carried out here */
function read(given: Of<typeof input>, { api }: Scene): Pick<RequestedRecord, 'domainName' | 'names' | 'keyAlgorithm'> {
  if (api.authority === undefined)
    throw unsupported(
      'RequestCertificate',
      'It has no authority: its operator sets SLIPWAY_ACME_DOMAINS, and its certificates and yours come by ACME. Or have one issued elsewhere, and give it to ImportCertificate.',
    );
  const {
    DomainName,
    SubjectAlternativeNames = [],
    ValidationMethod = 'HTTP',
    KeyAlgorithm = keyAlgorithms[0],
  } = given;
  if (ValidationMethod !== 'HTTP')
    throw unsupported(
      `ValidationMethod ${ValidationMethod}`,
      'Use HTTP: the listeners of load balancers answer the authority by themselves.',
    );
  if (given.CertificateAuthorityArn !== undefined)
    throw unsupported('CertificateAuthorityArn', 'Certificates are those of the authority of the installation.');
  if ((given.DomainValidationOptions ?? []).length > 0)
    throw unsupported('DomainValidationOptions', 'Names are proved by HTTP, without mails.');
  if (given.ManagedBy !== undefined) throw unsupported('ManagedBy', 'Certificates are for load balancers.');
  const { CertificateTransparencyLoggingPreference: logging, Export: exported } = given.Options ?? {};
  if (logging === 'DISABLED')
    throw unsupported('CertificateTransparencyLoggingPreference DISABLED', 'The authority decides what it logs.');
  if (exported === 'ENABLED')
    throw unsupported('Export ENABLED', 'Private keys leave the installation towards engines only.');
  const keyAlgorithm = keyAlgorithms.find((one) => one === KeyAlgorithm);
  if (keyAlgorithm === undefined)
    throw invalidParameter(`KeyAlgorithm ${KeyAlgorithm} is not one of ${keyAlgorithms.join(', ')}.`);
  const names = namesOf(DomainName, SubjectAlternativeNames);
  if (names.length > mostNames)
    throw limitExceeded(`A certificate has at most ${mostNames} domain names; ${names.length} were given.`);
  for (const name of names) checkName(name, api.authority.ownNames);
  const [domainName] = names as [string];
  if (domainName.length > longestFirst)
    throw validation(`The first domain name of a certificate has at most ${longestFirst} characters.`);
  return { domainName, names, keyAlgorithm };
}

function checkName(name: string, ownNames: readonly string[]): void {
  if (name.startsWith('*.'))
    throw unsupported(`The wildcard ${name}`, 'It would need a proof by DNS, which is not offered; name each host.');
  const labels = name.split('.');
  if (name.length > 253 || labels.length < 2 || !labels.every((one) => label.test(one)) || isIP(name) !== 0)
    throw validation(`'${name.slice(0, 253)}' is not a domain name that a certificate can be for.`);
  if (ownNames.includes(name))
    throw validation(`${name} is a name of the installation itself, which has its certificate by itself.`);
}

/** What the same call has requested within the hour. @throws InvalidParameterException for a token of another one */
function before(
  draft: Draft,
  token: string | undefined,
  asked: Pick<RequestedRecord, 'names' | 'keyAlgorithm'>,
): RequestedRecord | undefined {
  if (token === undefined) return undefined;
  const known = draft
    .all('requested')
    .find(({ idempotencyToken, createdAt }) => idempotencyToken === token && draft.now - createdAt < tokenLife);
  if (known === undefined) return undefined;
  const texts = [known, asked].map(({ names, keyAlgorithm }) => `${keyAlgorithm} ${names.join()}`);
  if (texts[0] !== texts[1])
    throw invalidParameter('The IdempotencyToken was given for another request within the last hour.');
  return known;
}
