import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';

import type { InstanceProvider, MachineSpec } from '../instance-provider.ts';

/** The id of a machine that nobody has: some providers make things of this name that whoever else tests on this computer would find. */
export const newId = (): string => `i-${randomBytes(9).toString('hex').slice(0, 17)}`;

/** A machine to be. */
export const specOf = (id: string, owner = 'me'): MachineSpec => ({
  id,
  owner,
  account: '000000000000',
  region: 'us-east-1',
  group: 'web',
  cluster: 'default',
  zone: 'us-east-1a',
  instanceType: 'm5.large',
  imageId: 'ami-1',
  template: { UserData: 'IyEvYmluL2Jhc2g=' },
  tags: { team: 'blue' },
  settings: { ECS_CLUSTER: 'default' },
  joinUntil: 0,
});

/** What every provider holds to. @param open one without machines */
export function holdToContract(what: string, open: () => InstanceProvider): void {
  const over = new AbortController().signal;
  const [first, second] = [newId(), newId()];

  describe(`${what} as an instance provider`, () => {
    test('has what it was told to make, once however often it is told, until it is told to end it', async () => {
      const provider = open();
      const ids = async (owner: string): Promise<string[]> =>
        (await provider.list(owner, over))
          .filter((one) => one.owner === owner)
          .map(({ id }) => id)
          .sort();
      expect(await ids('me')).toEqual([]);
      await provider.launch(specOf(first), over);
      await provider.launch(specOf(first), over);
      await provider.launch(specOf(second, 'another'), over);
      expect(await ids('me')).toEqual([first]);
      expect(await ids('another')).toEqual([second]);
      // What is stopped is there as before, and stays stopped when it is asked for.
      for (const _again of provider.rests === undefined ? [] : [1, 2]) {
        await provider.stop?.(first, 'me', 'Stopped', over);
        expect(await ids('me')).toEqual([first]);
      }
      for (const _again of provider.rests === undefined ? [] : [1, 2]) await provider.start?.(first, 'me', over);
      expect(await ids('me')).toEqual([first]);
      await provider.terminate(first, 'me', over);
      await provider.terminate(first, 'me', over);
      expect(await ids('me')).toEqual([]);
      expect(await ids('another')).toEqual([second]);
      await provider.terminate(second, 'another', over);
    });

    test('ends what it never had', async () => {
      await expect(open().terminate(first, 'me', over)).resolves.toBeUndefined();
    });
  });
}
