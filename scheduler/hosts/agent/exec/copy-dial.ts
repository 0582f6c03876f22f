import { type CopyChannel, CopyRefused, openCopy } from '../../../exec/protocol/index.ts';
import { readRefusal, signedHeaders } from '../channel.ts';
import type { ResolvedOptions } from '../options.ts';

/** Opens the connection of a copy, paused; gives up when the signal aborts. @throws UpgradeRefused, or what the way there failed with */
export type DialCopy = (address: URL, signal: AbortSignal) => Promise<CopyChannel>;

/** Dials with a GET that is signed as amazon-ecs-agent signs its upgrades, and that says the secret of this host. */
export const signedCopyDial =
  (options: ResolvedOptions, hostSecret: () => string): DialCopy =>
  async (address, signal) => {
    try {
      return await openCopy(address, await signedHeaders(address, options, hostSecret()), signal);
    } catch (error) {
      throw error instanceof CopyRefused ? await readRefusal(error.response) : error;
    }
  };
