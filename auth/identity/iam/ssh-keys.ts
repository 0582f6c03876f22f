import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { AwsError, type Call } from '../../contract/index.ts';
import { asJson, type SshKeyEntity, type UserEntity } from '../entities.ts';
import { keys } from '../keys.ts';
import { limitExceeded, noSuchEntity } from '../errors.ts';
import { uniqueId } from '../ids.ts';
import { quotas } from '../limits.ts';
import { need, resourceOf, userNameOf } from './access.ts';
import { userIn } from './change.ts';
import { findHolder } from './holders.ts';
import type { Iam, IamOperations } from './iam.ts';
import { pageOfList } from './paging.ts';

/** RSA only, as IAM takes them (IAM user guide, "Use IAM with CodeCommit"); bits. */
const leastBits = 2048;
const mostBits = 16_384;

/** SSH public keys of users: kept, listed, activated and deactivated. Nothing here signs in with them yet. */
export function sshKeyOperations(iam: Iam): IamOperations {
  const access = (action: string) => async (input: { UserName?: string | undefined }, call: Call) =>
    need(action, await resourceOf.user(iam, call, await userNameOf(iam, call, input.UserName)));
  const unknown = (id: string | undefined) => noSuchEntity(`The Public Key with id ${id} cannot be found.`);
  const change = (
    call: Call,
    input: { UserName?: string | undefined; SSHPublicKeyId?: string | undefined },
    work: (before: SshKeyEntity) => SshKeyEntity | undefined,
  ) =>
    iam.transact(call.account, async (tx) => {
      const { id: user } = await userIn(tx, input.UserName ?? '');
      const at = keys.sshKey(user, input.SSHPublicKeyId ?? '');
      const before = await tx.get<SshKeyEntity>(at);
      if (before === undefined) throw unknown(input.SSHPublicKeyId);
      const after = work(before);
      if (after === undefined) tx.remove(at);
      else tx.put(at, asJson(after));
    });

  return {
    UploadSSHPublicKey: {
      access: access('UploadSSHPublicKey'),
      async handle(input, call) {
        const body = sshForm(readPublicKey(input.SSHPublicKeyBody ?? ''));
        return iam.transact(call.account, async (tx) => {
          const user = await userIn(tx, input.UserName ?? '');
          const held = await tx.list<SshKeyEntity>({ prefix: keys.sshKeys(user.id), limit: 100 });
          if (held.records.some(({ value }) => value.body === body))
            throw new AwsError('DuplicateSSHPublicKeyException', `The user ${user.name} has this public key already.`);
          if (held.records.length >= quotas.sshKeysPerUser)
            throw limitExceeded(`Cannot exceed quota for SSHPublicKeysPerUser: ${quotas.sshKeysPerUser}`);
          const made: SshKeyEntity = {
            kind: 'ssh-key',
            keyId: uniqueId('APKA', iam.accounts.ports.random),
            body,
            status: 'Active',
            uploaded: iam.now(),
          };
          tx.put(keys.sshKey(user.id, made.keyId), asJson(made));
          return { SSHPublicKey: show(user, made, body) };
        });
      },
    },

    GetSSHPublicKey: {
      access: access('GetSSHPublicKey'),
      async handle(input, call) {
        const user = await findHolder(iam, call.account, 'user', input.UserName);
        const found = await iam.find(call.account, keys.sshKey(user.id, input.SSHPublicKeyId ?? ''));
        if (found === undefined) throw unknown(input.SSHPublicKeyId);
        const pem = () => readPublicKey(found.body).export({ type: 'spki', format: 'pem' }).toString();
        return { SSHPublicKey: show(user, found, input.Encoding === 'PEM' ? pem() : found.body) };
      },
    },

    ListSSHPublicKeys: {
      access: access('ListSSHPublicKeys'),
      async handle(input, call) {
        const user = await findHolder(iam, call.account, 'user', await userNameOf(iam, call, input.UserName));
        const held = (await iam.all(call.account, keys.sshKeys(user.id))).map(({ value }) => value);
        const of = ['ListSSHPublicKeys', user.id];
        const page = await pageOfList(iam, call.account, of, held, ({ keyId }) => keyId, input);
        return {
          SSHPublicKeys: page.items.map(({ keyId, status, uploaded }) => ({
            UserName: user.name,
            SSHPublicKeyId: keyId,
            Status: status,
            UploadDate: new Date(uploaded),
          })),
          ...page.truncation,
        };
      },
    },

    UpdateSSHPublicKey: {
      access: access('UpdateSSHPublicKey'),
      async handle(input, call) {
        const status = input.Status === 'Active' ? 'Active' : 'Inactive';
        await change(call, input, (before) => ({ ...before, status }));
        return {};
      },
    },

    DeleteSSHPublicKey: {
      access: access('DeleteSSHPublicKey'),
      async handle(input, call) {
        await change(call, input, () => undefined);
        return {};
      },
    },
  };
}

const show = (user: UserEntity, { keyId, body, status, uploaded }: SshKeyEntity, encoded: string) => ({
  UserName: user.name,
  SSHPublicKeyId: keyId,
  Fingerprint: fingerprintOf(body),
  SSHPublicKeyBody: encoded,
  Status: status,
  UploadDate: new Date(uploaded),
});

/** MD5 over the key's bytes, as IAM and `ssh-keygen -E md5` show it. */
const fingerprintOf = (body: string): string =>
  createHash('md5')
    .update(Buffer.from(body.split(' ')[1] ?? '', 'base64'))
    .digest('hex')
    .replace(/..(?!$)/g, '$&:');

const invalid = (why: string): AwsError =>
  new AwsError('InvalidPublicKeyException', `The public key is invalid: ${why}`);

/** Reads `ssh-rsa …` or PEM. @throws AwsError `InvalidPublicKeyException` */
function readPublicKey(text: string): KeyObject {
  const pem = text.trimStart().startsWith('-----BEGIN');
  let key: KeyObject;
  try {
    key = pem ? createPublicKey(text) : createPublicKey({ format: 'jwk', key: jwkOf(text) });
  } catch {
    throw invalid("it is neither an RSA key in the form 'ssh-rsa …' nor in PEM.");
  }
  const bits = key.asymmetricKeyType === 'rsa' ? (key.asymmetricKeyDetails?.modulusLength ?? 0) : 0;
  if (bits < leastBits || bits > mostBits) throw invalid(`it must be an RSA key of ${leastBits} to ${mostBits} bits.`);
  return key;
}

/** RFC 4253, section 6.6: the algorithm's name, the exponent, the modulus, each after its length in 4 bytes. */
function jwkOf(text: string): { kty: 'RSA'; n: string; e: string } {
  const [type, encoded = ''] = text.trim().split(/\s+/);
  const bytes = Buffer.from(encoded, 'base64');
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at);
    if (at + 4 + length > bytes.length || parts.length === 3) throw new RangeError('not an SSH key');
    parts.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  const [name, e, n] = parts;
  if (type !== 'ssh-rsa' || name?.toString() !== type || e === undefined || n === undefined)
    throw new RangeError('not an SSH key');
  return { kty: 'RSA', n: unpadded(n).toString('base64url'), e: unpadded(e).toString('base64url') };
}

const unpadded = (number: Buffer): Buffer => (number[0] === 0 ? number.subarray(1) : number);

/** The key as `ssh-rsa <base64>`, without a comment: one form for one key. */
function sshForm(key: KeyObject): string {
  const { n = '', e = '' } = key.export({ format: 'jwk' });
  const field = (bytes: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  // A first bit of 1 would make the number negative.
  const number = (text: string): Buffer => {
    const bytes = Buffer.from(text, 'base64url');
    return field((bytes[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes);
  };
  return `ssh-rsa ${Buffer.concat([field(Buffer.from('ssh-rsa')), number(e), number(n)]).toString('base64')}`;
}
