import { definePartition, type OwnedRows } from '@slipway/storage/records';

import type { NounType } from './records.ts';

const networks = definePartition('ec2/<account>', 'the networks of one account');
export const networkPartition = networks.name;

export const networkKeys = {
  /** Written by every change of the nouns, under its version: they are few, and change one at a time. */
  revision: 'revision',
  noun: (type: NounType, id: string): string => `noun/${type}/${id}`,
  nouns: 'noun/',
  /** What the versions of launch templates say: too long to be kept in memory with the nouns. */
  templateVersion: (id: string, number: number): string => `template/${id}/${String(number).padStart(10, '0')}`,
  templateVersionsOf: (id: string): string => `template/${id}/`,
  templateVersions: 'template/',
  /** Network interfaces come and go with tasks: they do not touch `revision`. */
  interface: (id: string): string => `interface/${id}`,
  interfaces: 'interface/',
  /** Who has an address; the row is what keeps two from having it. */
  address: (subnetId: string, address: string): string => `address/${subnetId}/${address}`,
  addressesOf: (subnetId: string): string => `address/${subnetId}/`,
  addresses: 'address/',
  /** A row for each group of each interface, so that a group in use is found without looking at all interfaces. */
  member: (groupId: string, interfaceId: string): string => `member/${groupId}/${interfaceId}`,
  membersOf: (groupId: string): string => `member/${groupId}/`,
  members: 'member/',
  /** A part of a subnet that one host has; its range is in the key, so that nobody has it twice. */
  slice: (cidr: string): string => `slice/${cidr.replace('/', '_')}`,
  slices: 'slice/',
  /** Written with each slice that is taken: ranges of different lengths may meet under different keys. */
  slicesTaken: 'slices-taken',
  /** Signs the page tokens of the account's lists. */
  signingKey: 'signing-key',
} as const;

/** What each change of the nouns writes. */
export interface RevisionRecord {
  /** Zones for which the default network has had its subnet made: one that somebody deleted does not come back. */
  readonly zones: readonly string[];
}

export const networkRows: OwnedRows = {
  partition: networks,
  owner: 'scheduler/network',
  keys: [
    networkKeys.revision,
    networkKeys.nouns,
    networkKeys.templateVersions,
    networkKeys.interfaces,
    networkKeys.addresses,
    networkKeys.members,
    networkKeys.slices,
    networkKeys.slicesTaken,
    networkKeys.signingKey,
  ],
};
