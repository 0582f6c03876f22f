import { type Call, renderPlainError, type WebService } from '@slipway/auth/contract';

import type { Secrets } from '../secrets/index.ts';

import { callKey, type CallKeyPorts } from './call-key.ts';

/** As it stands in a path: names have slashes. */
function idIn(path: string): string | undefined {
  const [, encoded] = /^\/slipway\/rotations\/([^/]{1,6144})$/.exec(path) ?? [];
  try {
    const id = encoded === undefined ? '' : decodeURIComponent(encoded);
    return id.length >= 1 && id.length <= 2048 ? id : undefined;
  } catch {
    return undefined;
  }
}

/**
 * `/slipway/rotations/<secret>`: GET tells how the rotation of a secret stands, and needs `secretsmanager:DescribeSecret`; POST tells the key that
 * its webhook's calls are signed with, and makes it if there is none, DELETE makes another one: both need `secretsmanager:RotateSecret`. Requests
 * are signed by SigV4 for `secretsmanager`.
 */
export function createRotationAdministration(ports: CallKeyPorts & { readonly secrets: Secrets }): WebService {
  const { secrets } = ports;
  return {
    name: 'rotation-administration',
    prefix: '/slipway/rotations/',
    authentication: { sigv4: 'secretsmanager' },
    samples: [
      { method: 'GET', path: '/slipway/rotations/canary' },
      { method: 'POST', path: '/slipway/rotations/canary' },
      { method: 'DELETE', path: '/slipway/rotations/canary' },
    ],
    route(method, path) {
      const id = idIn(path);
      if (id === undefined || !['GET', 'POST', 'DELETE'].includes(method)) return undefined;
      return {
        name: `${method} rotation of a secret`,
        access: async ({ account }: Call) => [
          await secrets.access(account, method === 'GET' ? 'DescribeSecret' : 'RotateSecret', id, {}),
        ],
        handle: async (ctx, { account }) => {
          const secret = await secrets.find(account, id);
          if (secret === undefined) {
            ctx.status = 404;
            ctx.body = { code: 'not-found', message: `There is no secret ${id}.` };
            return;
          }
          if (method !== 'GET') {
            ctx.body = { secret: await callKey(ports, account, secret, method === 'DELETE') };
            return;
          }
          const { enabled = false, target, lastAt, nextAt, run, failure } = secret.rotation ?? {};
          ctx.body = { arn: secrets.arn(account, secret), enabled, target, lastAt, nextAt, run, failure };
        },
      };
    },
    renderError: renderPlainError,
  };
}
