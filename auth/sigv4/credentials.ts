import type { Principal } from '../contract/index.ts';

/** What is known about an access key: its secret and whom it stands for, or why it may not be used. */
export type FoundCredential =
  | {
      readonly secret: string;
      readonly principal: Principal;
      /** Told of every request that it was found to have signed, with the service and region in its scope. Must not wait or throw. */
      readonly used?: (service: string, region: string) => void;
    }
  | { readonly refused: 'unknown' | 'inactive' | 'expired' | 'bad-token' };

/**
 * Looks up access keys for the verifier. `sessionToken` is undefined when the request carried none: a temporary key
 * (`ASIA…`) without its token, and a long-term key with one, are both `bad-token`.
 */
export interface Credentials {
  find(accessKeyId: string, sessionToken: string | undefined): Promise<FoundCredential>;
}
