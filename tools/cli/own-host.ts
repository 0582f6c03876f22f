import { request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { type ECSClient, DescribeTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import { registryOf } from '@slipway/scheduler/references';

/**
 * Whether a server takes a registry's name for its own, which decides whether images of that name are pinned and follow pushes. The
 * server is asked as a docker client asks it by that name: it sends clients on to names of its own only.
 * @param endpoint where the server is reached
 * @param host `host[:port]` of image references
 * @throws Error when the server does not answer
 */
export function isOwnHostOf(endpoint: string, host: string): Promise<boolean> {
  const url = new URL('/v2/', endpoint);
  const send = url.protocol === 'https:' ? secureRequest : request;
  return new Promise((resolve, reject) => {
    send(url, { headers: { host }, agent: false, timeout: 5000 }, (answer) => {
      answer.resume();
      const realm = /realm="https?:\/\/([^/"]+)/.exec(answer.headers['www-authenticate'] ?? '')?.[1];
      resolve(realm === host.toLowerCase());
    })
      .on('timeout', function (this: { destroy(error: Error): void }) {
        this.destroy(new Error(`${endpoint} does not answer`));
      })
      .on('error', reject)
      .end();
  });
}

/** The images of a task definition that are on no registry of this installation, so that no push here moves them. */
export async function imagesElsewhere(client: ECSClient, endpoint: string, taskDefinition: string): Promise<string[]> {
  const { taskDefinition: found } = await client.send(new DescribeTaskDefinitionCommand({ taskDefinition }));
  const images = [...new Set((found?.containerDefinitions ?? []).map(({ image = '' }) => image))];
  const own = await Promise.all(images.map((image) => isOwnHostOf(endpoint, registryOf(image))));
  return images.filter((_, position) => own[position] !== true);
}

/** What to tell of a service that follows images elsewhere. */
export const elsewhereNote = (images: readonly string[]): string =>
  `pushes here do not move ${images.join(', ')}: not on a registry that this installation counts as its own (SLIPWAY_ENDPOINTS names those)`;
