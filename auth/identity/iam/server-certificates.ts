import { createPrivateKey, type KeyObject } from 'node:crypto';
import { AwsError, type Call, type ResourceRef } from '../../contract/index.ts';
import { requestTagKeys, requestTags, tagList } from '../../kit/index.ts';
import { iamArn } from '../arns.ts';
import { asJson, type ServerCertificateEntity } from '../entities.ts';
import { keys } from '../keys.ts';
import { alreadyExists, deleteConflict, limitExceeded, noSuchEntity } from '../errors.ts';
import { uniqueId } from '../ids.ts';
import { quotas } from '../limits.ts';
import { iamTags } from '../tags.ts';
import { need, newEntity } from './access.ts';
import type { Iam, IamOperations } from './iam.ts';
import { pageOfList, pageOfRecords } from './paging.ts';
import { readCertificate, readCertificates } from './pem.ts';

const type = 'server-certificate';

const unknown = (name: string | undefined): AwsError =>
  noSuchEntity(`The Server Certificate with name ${name} cannot be found.`);

/** Certificates with their private keys, which are sealed and never shown again. */
export function serverCertificateOperations(iam: Iam): IamOperations {
  const { random, seal } = iam.accounts.ports;
  const resource = async (call: Call, name: string | undefined): Promise<ResourceRef> => {
    const found = name === undefined ? undefined : await iam.find(call.account, keys.serverCertificate(name));
    return found === undefined
      ? newEntity(call, type, name)
      : { arn: iamArn(call.account, type, found.path, found.name), tags: found.tags };
  };
  const find = async (call: Call, name: string | undefined): Promise<ServerCertificateEntity> => {
    const found = await iam.find(call.account, keys.serverCertificate(name ?? ''));
    if (found === undefined) throw unknown(name);
    return found;
  };
  const change = (call: Call, name = '', work: (before: ServerCertificateEntity) => ServerCertificateEntity) =>
    iam.transact(call.account, async (tx) => {
      const at = keys.serverCertificate(name);
      const before = await tx.get<ServerCertificateEntity>(at);
      if (before === undefined) throw unknown(name);
      const after = work(before);
      const to = keys.serverCertificate(after.name);
      if (to !== at) {
        if ((await tx.get(to)) !== undefined) throw exists(after.name);
        tx.remove(at);
      }
      tx.put(to, asJson(after));
    });

  /** Asks whoever serves a certificate to let go of it. @throws AwsError `DeleteConflict` */
  const release = async (call: Call, name: string | undefined, verb: string): Promise<void> => {
    const { id, path, name: known } = await find(call, name);
    const [user] = await iam.releaseServerCertificate(call.account, iamArn(call.account, type, path, known));
    if (user !== undefined)
      throw deleteConflict(`Certificate: ${id} is currently in use by ${user}. Please remove it first before ${verb}.`);
  };

  return {
    UploadServerCertificate: {
      access: (input, call) =>
        need(
          'UploadServerCertificate',
          newEntity(call, type, input.ServerCertificateName, input.Path),
          requestTags(iamTags.parse(input.Tags)),
        ),
      async handle(input, call) {
        const certificate = readCertificate(input.CertificateBody ?? '');
        if (input.CertificateChain !== undefined) readCertificates(input.CertificateChain);
        if (!certificate.checkPrivateKey(readPrivateKey(input.PrivateKey ?? ''))) {
          throw new AwsError('KeyPairMismatchException', 'The private key does not belong to the certificate.');
        }
        const id = uniqueId('ASCA', random);
        const made: ServerCertificateEntity = {
          kind: 'server-certificate',
          name: input.ServerCertificateName ?? '',
          path: input.Path ?? '/',
          id,
          uploaded: iam.now(),
          expires: Date.parse(certificate.validTo),
          // Without the white space around them, as IAM gives them back and Terraform expects them.
          body: (input.CertificateBody ?? '').trim(),
          ...(input.CertificateChain === undefined ? {} : { chain: input.CertificateChain.trim() }),
          sealed: seal.seal(input.PrivateKey ?? '', id),
          tags: iamTags.parse(input.Tags),
        };
        await iam.transact(call.account, async (tx) => {
          const at = keys.serverCertificate(made.name);
          if ((await tx.get(at)) !== undefined) throw exists(made.name);
          const held = await tx.list({ prefix: keys.serverCertificate(''), limit: quotas.serverCertificates });
          if (held.records.length >= quotas.serverCertificates)
            throw limitExceeded(`Cannot exceed quota for ServerCertificatesPerAccount: ${quotas.serverCertificates}`);
          tx.put(at, asJson(made));
        });
        return {
          ServerCertificateMetadata: show(call.account, made),
          ...(Object.keys(made.tags).length === 0 ? {} : { Tags: tagList(made.tags) }),
        };
      },
    },

    GetServerCertificate: {
      access: async (input, call) => need('GetServerCertificate', await resource(call, input.ServerCertificateName)),
      async handle(input, call) {
        const found = await find(call, input.ServerCertificateName);
        return {
          ServerCertificate: {
            ServerCertificateMetadata: show(call.account, found),
            CertificateBody: found.body,
            ...(found.chain === undefined ? {} : { CertificateChain: found.chain }),
            Tags: tagList(found.tags),
          },
        };
      },
    },

    ListServerCertificates: {
      access: (input, call) => need('ListServerCertificates', newEntity(call, type, '', input.PathPrefix)),
      async handle(input, call) {
        const page = await pageOfRecords(iam, call.account, keys.serverCertificate(''), input, (each) =>
          each.path.startsWith(input.PathPrefix ?? '/') ? show(call.account, each) : undefined,
        );
        return { ServerCertificateMetadataList: page.items, ...page.truncation };
      },
    },

    UpdateServerCertificate: {
      access: async (input, call) => {
        const { ServerCertificateName, NewServerCertificateName, NewPath } = input;
        const renamed = newEntity(call, type, NewServerCertificateName ?? ServerCertificateName, NewPath);
        return [
          ...need('UpdateServerCertificate', await resource(call, ServerCertificateName)),
          ...(NewServerCertificateName === undefined && NewPath === undefined
            ? []
            : need('UpdateServerCertificate', renamed)),
        ];
      },
      async handle(input, call) {
        // Listeners name it by its ARN.
        if (input.NewServerCertificateName !== undefined || input.NewPath !== undefined)
          await release(call, input.ServerCertificateName, 'changing its name or path');
        await change(call, input.ServerCertificateName, (before) => ({
          ...before,
          name: input.NewServerCertificateName ?? before.name,
          path: input.NewPath ?? before.path,
        }));
        return {};
      },
    },

    DeleteServerCertificate: {
      access: async (input, call) => need('DeleteServerCertificate', await resource(call, input.ServerCertificateName)),
      async handle(input, call) {
        await release(call, input.ServerCertificateName, 'deleting it from IAM');
        await iam.transact(call.account, async (tx) => {
          const at = keys.serverCertificate(input.ServerCertificateName ?? '');
          if ((await tx.get(at)) === undefined) throw unknown(input.ServerCertificateName);
          tx.remove(at);
        });
        return {};
      },
    },

    TagServerCertificate: {
      access: async (input, call) =>
        need(
          'TagServerCertificate',
          await resource(call, input.ServerCertificateName),
          requestTags(iamTags.parse(input.Tags)),
        ),
      async handle(input, call) {
        const added = iamTags.parse(input.Tags);
        await change(call, input.ServerCertificateName, (before) => ({
          ...before,
          tags: iamTags.merge(before.tags, added),
        }));
        return {};
      },
    },

    UntagServerCertificate: {
      access: async (input, call) =>
        need(
          'UntagServerCertificate',
          await resource(call, input.ServerCertificateName),
          requestTagKeys(input.TagKeys),
        ),
      async handle(input, call) {
        await change(call, input.ServerCertificateName, (before) => ({
          ...before,
          tags: iamTags.without(before.tags, input.TagKeys ?? []),
        }));
        return {};
      },
    },

    ListServerCertificateTags: {
      access: async (input, call) =>
        need('ListServerCertificateTags', await resource(call, input.ServerCertificateName)),
      async handle(input, call) {
        const { name, tags } = await find(call, input.ServerCertificateName);
        const of = ['tags', 'server-certificate', name];
        const page = await pageOfList(iam, call.account, of, tagList(tags), ({ Key }) => Key, input);
        return { Tags: page.items, ...page.truncation };
      },
    },
  };
}

const exists = (name: string): AwsError => alreadyExists(`The Server Certificate with name ${name} already exists.`);

const show = (account: string, { name, path, id, uploaded, expires }: ServerCertificateEntity) => ({
  Path: path,
  ServerCertificateName: name,
  ServerCertificateId: id,
  Arn: iamArn(account, type, path, name),
  UploadDate: new Date(uploaded),
  Expiration: new Date(expires),
});

/** What listeners of load balancers serve of a certificate; undefined when the account has none of the ARN. */
export async function openServerCertificate(
  iam: Iam,
  account: string,
  arn: string,
): Promise<{ readonly certificate: string; readonly chain?: string; readonly privateKey: string } | undefined> {
  const found = await iam.find(account, keys.serverCertificate(arn.slice(arn.lastIndexOf('/') + 1)));
  if (found === undefined || iamArn(account, type, found.path, found.name) !== arn) return undefined;
  const { body: certificate, chain, sealed, id } = found;
  const privateKey = iam.accounts.ports.seal.open(sealed, id);
  return { certificate, ...(chain === undefined ? {} : { chain }), privateKey };
}

/** @throws AwsError `MalformedCertificateException` */
function readPrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey({ key: pem, format: 'pem' });
  } catch {
    throw new AwsError(
      'MalformedCertificateException',
      'Unable to parse key; the body is not a private key in PEM format without a passphrase.',
    );
  }
}
