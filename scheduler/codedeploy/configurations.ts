import { transact } from '@slipway/storage/records';

import { scanAll } from '../cluster/index.ts';
import { newEventId, toJson } from '../state/index.ts';
import { rowsOf } from '@slipway/auth/kit';

import { checkPlatform } from './applications.ts';
import { noConfiguration, notDone, refuse } from './errors.ts';
import { codeDeployKeys, codeDeployPartition } from './keys.ts';
import { arns, checkConfiguration } from './names.ts';
import { access, type CodeDeployApi, type CodeDeployOperations, placeOf } from './options.ts';
import type { ConfigurationRecord, GroupRecord } from './records.ts';
import { parseRouting, predefined, routingView } from './routing.ts';
import { configuration } from './store.ts';

/** Create, delete, get and list deployment configurations: those of the account, and those that come with CodeDeploy. */
export function configurationOperations(api: CodeDeployApi): CodeDeployOperations {
  return {
    CreateDeploymentConfig: {
      access: ({ deploymentConfigName = '' }, call) => [
        access('CreateDeploymentConfig', arns.configuration(placeOf(api, call), deploymentConfigName)),
      ],
      handle: async (input, { account }) => {
        const name = checkConfiguration(input.deploymentConfigName);
        checkPlatform(input.computePlatform);
        if (input.minimumHealthyHosts !== undefined)
          throw refuse(
            'InvalidMinimumHealthyHostValue',
            'minimumHealthyHosts is for the compute platform Server: remove it.',
          );
        if (input.zonalConfig !== undefined)
          throw refuse(
            'InvalidZonalDeploymentConfiguration',
            'zonalConfig is for the compute platform Server: remove it.',
          );
        if (name.startsWith('CodeDeployDefault.'))
          throw refuse(
            'InvalidDeploymentConfigName',
            "Names that start with 'CodeDeployDefault.' are CodeDeploy's own.",
          );
        const created: ConfigurationRecord = {
          name,
          id: newEventId(api.random),
          createdAt: api.clock.now(),
          routing: parseRouting(input.trafficRoutingConfig),
        };
        await transact(api.records, codeDeployPartition(account), async (tx) => {
          const key = codeDeployKeys.configuration(name);
          if ((await tx.get(key)) !== undefined)
            throw refuse(
              'DeploymentConfigAlreadyExists',
              `A deployment configuration with the name ${name} already exists.`,
            );
          tx.put(key, toJson(created));
        });
        return { deploymentConfigId: created.id };
      },
    },
    DeleteDeploymentConfig: {
      access: ({ deploymentConfigName = '' }, call) => [
        access('DeleteDeploymentConfig', arns.configuration(placeOf(api, call), deploymentConfigName)),
      ],
      handle: async (input, { account }) => {
        const name = checkConfiguration(input.deploymentConfigName);
        if (predefined.some((one) => one.name === name))
          throw refuse('InvalidOperation', `${name} comes with CodeDeploy and cannot be deleted.`);
        const partition = codeDeployPartition(account);
        const groups = await scanAll<GroupRecord>(api.records, partition, codeDeployKeys.groups);
        const user = groups.find((one) => one.configuration === name);
        if (user !== undefined)
          throw refuse(
            'DeploymentConfigInUse',
            `The deployment configuration ${name} is used by the deployment group ${user.name} of ${user.application}.`,
          );
        await transact(api.records, partition, (tx) => {
          tx.remove(codeDeployKeys.configuration(name));
          return Promise.resolve();
        });
        return {};
      },
    },
    GetDeploymentConfig: {
      access: ({ deploymentConfigName = '' }, call) => [
        access('GetDeploymentConfig', arns.configuration(placeOf(api, call), deploymentConfigName)),
      ],
      handle: async (input, { account }) => {
        const name = checkConfiguration(input.deploymentConfigName);
        const found = await configuration(api, account, name);
        if (found === undefined) {
          if (/^CodeDeployDefault\.(?!ECS)/.test(name))
            throw notDone(
              `The configuration ${name}`,
              'Those of the compute platform ECS are there: ListDeploymentConfigs.',
            );
          throw noConfiguration(name);
        }
        return {
          deploymentConfigInfo: {
            deploymentConfigId: found.id,
            deploymentConfigName: name,
            ...(found.createdAt === undefined ? {} : { createTime: new Date(found.createdAt) }),
            computePlatform: 'ECS' as const,
            trafficRoutingConfig: routingView(found.routing),
          },
        };
      },
    },
    ListDeploymentConfigs: {
      access: (_, call) => [access('ListDeploymentConfigs', arns.configuration(placeOf(api, call), '*'))],
      handle: async (input, { account }) => {
        const list = ['ListDeploymentConfigs'];
        const after = await api.pages.start(account, list, input);
        const own = await scanAll<ConfigurationRecord>(
          api.records,
          codeDeployPartition(account),
          codeDeployKeys.configurations,
        );
        const rows = rowsOf([...predefined, ...own], ({ name }) => name, after);
        const { items, ...more } = await api.pages.page(account, list, input, rows, ({ name }) => name);
        return { deploymentConfigsList: items, ...more };
      },
    },
  };
}
