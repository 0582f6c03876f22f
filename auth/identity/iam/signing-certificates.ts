import { AwsError, type Call } from '../../contract/index.ts';
import { asJson, type SigningCertificateEntity } from '../entities.ts';
import { keys } from '../keys.ts';
import { limitExceeded, noSuchEntity } from '../errors.ts';
import { certificateId } from '../ids.ts';
import { quotas } from '../limits.ts';
import { need, resourceOf, userNameOf } from './access.ts';
import { userIn } from './change.ts';
import { findHolder } from './holders.ts';
import type { Iam, IamOperations } from './iam.ts';
import { pageOfList } from './paging.ts';
import { readCertificate } from './pem.ts';

/** X.509 certificates of users: kept, listed, activated and deactivated. No API here is signed with them. */
export function signingCertificateOperations(iam: Iam): IamOperations {
  const access = (action: string) => async (input: { UserName?: string | undefined }, call: Call) =>
    need(action, await resourceOf.user(iam, call, await userNameOf(iam, call, input.UserName)));
  const change = async (
    call: Call,
    input: { UserName?: string | undefined; CertificateId?: string | undefined },
    work: (before: SigningCertificateEntity) => SigningCertificateEntity | undefined,
  ) => {
    const name = await userNameOf(iam, call, input.UserName);
    await iam.transact(call.account, async (tx) => {
      const at = keys.signingCertificate((await userIn(tx, name)).id, input.CertificateId ?? '');
      const before = await tx.get<SigningCertificateEntity>(at);
      if (before === undefined) throw noSuchEntity(`The Certificate with id ${input.CertificateId} cannot be found.`);
      const after = work(before);
      if (after === undefined) tx.remove(at);
      else tx.put(at, asJson(after));
    });
  };

  return {
    UploadSigningCertificate: {
      access: access('UploadSigningCertificate'),
      async handle(input, call) {
        const name = await userNameOf(iam, call, input.UserName);
        const body = input.CertificateBody ?? '';
        const certificate = readCertificate(body);
        if (Date.parse(certificate.validTo) < iam.now())
          throw new AwsError('InvalidCertificateException', `The certificate ended on ${certificate.validTo}.`);
        return iam.transact(call.account, async (tx) => {
          const user = await userIn(tx, name);
          const held = await tx.list<SigningCertificateEntity>({
            prefix: keys.signingCertificates(user.id),
            limit: 100,
          });
          const { fingerprint256 } = certificate;
          if (held.records.some(({ value }) => value.fingerprint === fingerprint256)) {
            throw new AwsError('DuplicateCertificateException', `The user ${user.name} has this certificate already.`, {
              status: 409,
            });
          }
          if (held.records.length >= quotas.signingCertificatesPerUser)
            throw limitExceeded(`Cannot exceed quota for CertificatesPerUser: ${quotas.signingCertificatesPerUser}`);
          const made: SigningCertificateEntity = {
            kind: 'signing-certificate',
            certificateId: certificateId(iam.accounts.ports.random),
            body,
            fingerprint: fingerprint256,
            status: 'Active',
            uploaded: iam.now(),
          };
          tx.put(keys.signingCertificate(user.id, made.certificateId), asJson(made));
          return { Certificate: show(user.name, made) };
        });
      },
    },

    ListSigningCertificates: {
      access: access('ListSigningCertificates'),
      async handle(input, call) {
        const user = await findHolder(iam, call.account, 'user', await userNameOf(iam, call, input.UserName));
        const held = (await iam.all(call.account, keys.signingCertificates(user.id))).map(({ value }) => value);
        const of = ['ListSigningCertificates', user.id];
        const page = await pageOfList(iam, call.account, of, held, (each) => each.certificateId, input);
        return { Certificates: page.items.map((each) => show(user.name, each)), ...page.truncation };
      },
    },

    UpdateSigningCertificate: {
      access: access('UpdateSigningCertificate'),
      async handle(input, call) {
        const status = input.Status === 'Active' ? 'Active' : 'Inactive';
        await change(call, input, (before) => ({ ...before, status }));
        return {};
      },
    },

    DeleteSigningCertificate: {
      access: access('DeleteSigningCertificate'),
      async handle(input, call) {
        await change(call, input, () => undefined);
        return {};
      },
    },
  };
}

const show = (UserName: string, { certificateId: id, body, status, uploaded }: SigningCertificateEntity) => ({
  UserName,
  CertificateId: id,
  CertificateBody: body,
  Status: status,
  UploadDate: new Date(uploaded),
});
