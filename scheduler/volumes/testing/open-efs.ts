import { EFSClient } from '@aws-sdk/client-efs';

import { openApi, region, type TestApi, testCredentials } from '../../ecs/testing/open-api.ts';
import { Networks } from '../../network/records/index.ts';
import { createEfs, FileSystems } from '../efs/index.ts';

/** The APIs of ECS and EFS over one store. */
export interface TestEfs extends AsyncDisposable {
  readonly api: TestApi;
  readonly efs: EFSClient;
  readonly fileSystems: FileSystems;
  readonly networks: Networks;
  /** Names of the operations that are answered. */
  readonly served: readonly string[];
}

export async function openEfs({ encryptedShare = false } = {}): Promise<TestEfs> {
  await using opened = new AsyncDisposableStack();
  const made: { fileSystems?: FileSystems; networks?: Networks; served?: readonly string[] } = {};
  const api = opened.use(
    await openApi({
      beside: (ports) => {
        const fileSystems = new FileSystems(ports);
        const networks = new Networks({ ...ports, zonesOfHosts: () => Promise.resolve([`${region}a`]) });
        const principals = {
          bind: (text: string) => Promise.resolve(text.replaceAll('role/web', 'AROAWEB')),
          show: (text: string) => Promise.resolve(text.replaceAll('AROAWEB', 'role/web')),
        };
        const service = createEfs({ ...ports, fileSystems, networks, principals, encryptedShare });
        Object.assign(made, { fileSystems, networks, served: Object.keys(service.operations) });
        return [service];
      },
    }),
  );
  const { fileSystems, networks, served } = made;
  if (fileSystems === undefined || networks === undefined || served === undefined)
    throw new Error('the API of EFS was not opened');
  const efs = new EFSClient({ endpoint: api.url, region, credentials: testCredentials, maxAttempts: 1 });
  opened.defer(() => efs.destroy());
  const closing = opened.move();
  return { api, efs, fileSystems, networks, served, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}
