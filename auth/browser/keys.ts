import { definePartition, type OwnedRows } from '@slipway/storage/records';

const sessions = definePartition('browser-sessions', 'the sessions of browsers, of all accounts');
export const sessionPartition = sessions.name();

/** By hashes of what browsers hold, so that whoever reads the store cannot act by it. */
export const keys = {
  session: (tokenHash: string): string => `session/${tokenHash}`,
  /** The sessions of one principal, and the code that was made for it last. */
  of: (principalId: string): string => `of/${principalId}`,
  code: (codeHash: string): string => `code/${codeHash}`,
} as const;

export const browserRows: OwnedRows = {
  partition: sessions,
  owner: 'auth/browser',
  keys: [keys.session(''), keys.of(''), keys.code('')],
};
