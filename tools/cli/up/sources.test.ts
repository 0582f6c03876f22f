import { ECRClient } from '@aws-sdk/client-ecr';
import { expect, test } from 'vitest';
import type { App } from './model.ts';
import { Images } from './sources.ts';

test('without a docker command, a build says what is missing', async () => {
  const source = { kind: 'build', context: '/nowhere', arguments: {}, image: 'web:latest' } as const;
  const app: App = {
    name: 'shop',
    folder: '/nowhere',
    services: [
      {
        name: 'shop-web',
        line: 1,
        volumes: [],
        publish: [],
        healthPath: '/',
        containers: [{ source, secrets: {}, definition: { name: 'web' } }],
      },
    ],
  };
  const path = process.env['PATH'];
  process.env['PATH'] = '/nowhere';
  try {
    const images = new Images(new ECRClient({ region: 'us-east-1' }), '127.0.0.1:1');
    await expect(images.build(app)).rejects.toThrow('docker cannot be run (ENOENT): it builds the image web:latest');
  } finally {
    process.env['PATH'] = path;
  }
});
