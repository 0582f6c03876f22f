import { type Call, renderPlainError, type WebService } from '@slipway/auth/contract';

import { Alarms } from '../store/alarms.ts';
import { alarmArn } from './payload.ts';
import { alarmSecret, type SecretPorts } from './secrets.ts';

/** As it stands in a path: names may have any character. */
function nameIn(path: string): string | undefined {
  const [, encoded] = /^\/slipway\/alarms\/([^/]{1,2300})$/.exec(path) ?? [];
  try {
    const name = encoded === undefined ? '' : decodeURIComponent(encoded);
    return name.length >= 1 && name.length <= 255 && Buffer.byteLength(name) <= 900 ? name : undefined;
  } catch {
    return undefined;
  }
}

/**
 * `/slipway/alarms/<name>`: POST tells the secret that the alarm's webhook calls are signed with, and makes it if there is none; DELETE makes another
 * one. Both need `cloudwatch:PutMetricAlarm` on the alarm, as naming a webhook does; the alarm need not be there yet. Requests are signed by SigV4
 * for `monitoring`.
 */
export function createAlarmAdministration(ports: SecretPorts & { readonly region: string }): WebService {
  const alarms = new Alarms(ports);
  return {
    name: 'alarm-administration',
    prefix: '/slipway/alarms/',
    authentication: { sigv4: 'monitoring' },
    samples: [
      { method: 'POST', path: '/slipway/alarms/errors' },
      { method: 'DELETE', path: '/slipway/alarms/errors' },
    ],
    route(method, path) {
      const name = nameIn(path);
      if (name === undefined || (method !== 'POST' && method !== 'DELETE')) return undefined;
      return {
        name: `${method} webhook secret of an alarm`,
        access: async ({ account }: Call) => {
          const tags = (await alarms.find(account, name))?.tags;
          const arn = alarmArn({ account, region: ports.region }, name);
          return [
            { action: 'cloudwatch:PutMetricAlarm', resources: [{ arn, ...(tags === undefined ? {} : { tags }) }] },
          ];
        },
        handle: async (ctx, { account }: Call) => {
          ctx.body = { secret: await alarmSecret(ports, account, name, method === 'DELETE') };
        },
      };
    },
    renderError: renderPlainError,
  };
}
