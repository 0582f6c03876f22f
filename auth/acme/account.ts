import type { Fence } from '@slipway/storage/records';
import { exportJWK, FlattenedSign, generateKeyPair, importJWK, type CryptoKey, type JWK } from 'jose';
import { AuthorityUnavailable } from './problem.ts';
import { accountAlgorithm, type AcmeSession, type Signer } from './session.ts';
import type { AcmeSettings } from './settings.ts';
import type { AcmeStore } from './store.ts';

export interface AccountPorts {
  readonly session: AcmeSession;
  readonly store: AcmeStore;
  readonly settings: AcmeSettings;
  /** The key with which the account is bound to an external one. */
  readonly externalKey: Uint8Array | undefined;
  readonly fence: Fence;
}

/**
 * The account at the authority of the settings, made at the first time (RFC 8555, section 7.3). The key is stored before the
 * authority hears of it, so that a crash in between leaves no account behind that nobody can use.
 * @throws AcmeProblem, AuthorityUnavailable
 */
export async function openAccount(ports: AccountPorts): Promise<Signer> {
  const { session, store, settings, fence } = ports;
  const email = settings.email ?? null;
  const known = await store.account(settings);
  const jwk = known === undefined ? await newKey() : (JSON.parse(known.key) as JWK);
  const key = JSON.stringify(jwk);
  const signer = { ...(await signerOf(jwk)), url: undefined };
  if (known !== undefined && known.url !== null) {
    const account = { ...signer, url: known.url };
    if (known.email !== email) {
      await session.post(known.url, { contact: contactOf(settings) }, account);
      await store.putAccount(fence, settings, { key, url: known.url, email });
    }
    return account;
  }
  await store.putAccount(fence, settings, { key, url: null, email });
  const { newAccount } = await session.directory();
  const binding = await externalBinding(ports, newAccount, signer.publicJwk);
  const { location: url } = await session.post(
    newAccount,
    {
      termsOfServiceAgreed: true,
      ...(email !== null && { contact: contactOf(settings) }),
      ...(binding && { externalAccountBinding: binding }),
    },
    signer,
  );
  if (url === undefined) throw new AuthorityUnavailable(`${newAccount} does not say where the new account is`);
  await store.putAccount(fence, settings, { key, url, email });
  return { ...signer, url };
}

/** The account that {@link openAccount} has made at the authority of the settings; undefined before. */
export async function knownAccount(store: AcmeStore, settings: AcmeSettings): Promise<Signer | undefined> {
  const known = await store.account(settings);
  if (known === undefined || known.url === null) return undefined;
  return { ...(await signerOf(JSON.parse(known.key) as JWK)), url: known.url };
}

async function signerOf(jwk: JWK): Promise<Omit<Signer, 'url'>> {
  const { d: _, ...publicJwk } = jwk;
  return { key: (await importJWK(jwk, accountAlgorithm)) as CryptoKey, publicJwk };
}

async function newKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair(accountAlgorithm, { extractable: true });
  return exportJWK(privateKey);
}

const contactOf = ({ email }: AcmeSettings): string[] => (email === undefined ? [] : [`mailto:${email}`]);

/** The account key, signed with the key that the authority gave out (RFC 8555, section 7.3.4). */
async function externalBinding(
  { settings: { externalAccount }, externalKey }: AccountPorts,
  url: string,
  publicJwk: JWK,
): Promise<object | undefined> {
  if (externalAccount === undefined || externalKey === undefined) return undefined;
  return new FlattenedSign(new TextEncoder().encode(JSON.stringify(publicJwk)))
    .setProtectedHeader({ alg: 'HS256', kid: externalAccount.keyId, url })
    .sign(externalKey);
}
