import type { AccessRequest, Call } from '@slipway/auth/contract';
import { transact } from '@slipway/storage/records';

import { scanAll } from '../cluster/index.ts';
import { decidePause, endBake } from '../services/index.ts';
import { toJson } from '../state/index.ts';

import { checkBatch, mostOfBatch } from './applications.ts';
import { deploymentView, standing, type Viewed } from './deployment-view.ts';
import { noDeployment, noGroup, refuse } from './errors.ts';
import { codeDeployKeys, codeDeployPartition } from './keys.ts';
import { arns, checkApplication, checkGroup } from './names.ts';
import { access, type CodeDeployApi, type CodeDeployOperations, placeOf } from './options.ts';
import { isDone, readyRun } from './progress.ts';
import { bringOn, historicOf, lookAt, serviceOf } from './progressing.ts';
import type { CodeDeployRecord, GroupRecord } from './records.ts';
import { prepare } from './request.ts';
import { application, group } from './store.ts';

const statuses = ['Created', 'Queued', 'InProgress', 'Baking', 'Succeeded', 'Failed', 'Stopped', 'Ready'];

/** Create, stop, continue, get and list deployments. */
export function deploymentOperations(api: CodeDeployApi): CodeDeployOperations {
  const allow = async (action: string, id: string | undefined, call: Call): Promise<[AccessRequest]> => {
    const found = await findRecord(api, call.account, id ?? '');
    const { application: of = '*', name = '*' } = found?.group ?? {};
    return [access(action, arns.group(placeOf(api, call), of, name))];
  };

  return {
    CreateDeployment: {
      access: ({ applicationName = '', deploymentGroupName = '' }, call) => [
        access('CreateDeployment', arns.group(placeOf(api, call), applicationName, deploymentGroupName)),
      ],
      handle: async (input, call) => {
        const { account } = call;
        const of = checkApplication(input.applicationName);
        const name = checkGroup(input.deploymentGroupName);
        const found = await group(api, account, of, name);
        const record = await prepare(api, input, found, call);
        // An end that was reached and is not written down yet lets the next one begin.
        if (found.latest !== undefined) await bringOn(api, account, found.latest);
        await transact(api.records, codeDeployPartition(account), async (tx) => {
          const key = codeDeployKeys.group(of, name);
          const current = await tx.get<GroupRecord>(key);
          if (current === undefined) throw noGroup(name);
          const { latest } = current;
          const before =
            latest === undefined ? undefined : await tx.get<CodeDeployRecord>(codeDeployKeys.deployment(latest));
          if (before !== undefined && before.ended === undefined)
            throw refuse(
              'DeploymentLimitExceeded',
              `The Deployment Group '${name}' already has an active Deployment '${before.id}'`,
            );
          tx.put(key, toJson({ ...current, latest: record.id }));
          tx.put(codeDeployKeys.deployment(record.id), toJson(record));
          tx.put(codeDeployKeys.rollback(record.rollbackId), { deployment: record.id });
          tx.put(codeDeployKeys.open(record.id), { id: record.id });
        });
        await bringOn(api, account, record.id);
        return { deploymentId: record.id };
      },
    },
    GetDeployment: {
      access: ({ deploymentId }, call) => allow('GetDeployment', deploymentId, call),
      handle: async ({ deploymentId }, { account }) => ({
        deploymentInfo: deploymentView(await deployment(api, account, deploymentId)),
      }),
    },
    BatchGetDeployments: {
      access: async ({ deploymentIds = [] }, call) => {
        const each = deploymentIds.slice(0, mostOfBatch).map((id) => allow('BatchGetDeployments', id, call));
        return [
          access('BatchGetDeployments', arns.group(placeOf(api, call), '*', '*')),
          ...(await Promise.all(each)).flat(),
        ];
      },
      handle: async ({ deploymentIds }, { account }) => {
        const ids = checkBatch(deploymentIds, checkId);
        const found = await Promise.all(ids.map((id) => findDeployment(api, account, id)));
        return { deploymentsInfo: found.flatMap((one) => (one === undefined ? [] : [deploymentView(one)])) };
      },
    },
    ListDeployments: {
      access: ({ applicationName = '*', deploymentGroupName = '*' }, call) => [
        access('ListDeployments', arns.group(placeOf(api, call), applicationName, deploymentGroupName)),
      ],
      handle: async (input, { account }) => {
        const { deploymentGroupName, includeOnlyStatuses: only = [], createTimeRange: range } = input;
        if (input.externalId !== undefined)
          throw refuse('InvalidExternalId', 'Nothing that CodeDeploy deploys here has an external id: remove it.');
        for (const status of only)
          if (!statuses.includes(status))
            throw refuse('InvalidDeploymentStatus', `Unknown status '${status}': use one of ${statuses.join(', ')}.`);
        const of = input.applicationName === undefined ? undefined : checkApplication(input.applicationName);
        if (of !== undefined) await application(api, account, of);
        if (of === undefined && deploymentGroupName !== undefined) checkApplication(of);
        const named =
          of === undefined || deploymentGroupName === undefined
            ? undefined
            : await group(api, account, of, checkGroup(deploymentGroupName));
        const list = ['ListDeployments', of, named?.name, only, range?.start?.getTime(), range?.end?.getTime()];
        const after = await api.pages.start(account, list, input);
        const rows = (await everyDeployment(api, account))
          .filter(
            ({ record }) =>
              (of === undefined || record.group.application === of) &&
              (named === undefined || record.group.id === named.id),
          )
          .flatMap((one) => {
            const { status, createdAt } = standing(one);
            const isAsked =
              (only.length === 0 || only.includes(status)) &&
              (range?.start === undefined || createdAt >= range.start.getTime()) &&
              (range?.end === undefined || createdAt <= range.end.getTime());
            const id = one.isRollback ? one.record.rollbackId : one.record.id;
            // Newest first.
            const order = String(Number.MAX_SAFE_INTEGER - createdAt).padStart(16, '0');
            return isAsked ? [{ key: `${order}/${id}`, value: id }] : [];
          })
          .toSorted((a, b) => (a.key < b.key ? -1 : 1))
          .filter(({ key }) => after === undefined || key > after);
        const { items, ...more } = await api.pages.page(account, list, input, rows, (id) => id);
        return { deployments: items, ...more };
      },
    },
    ContinueDeployment: {
      access: ({ deploymentId }, call) => allow('ContinueDeployment', deploymentId, call),
      handle: async ({ deploymentId, deploymentWaitType: type = 'READY_WAIT' }, call) => {
        if (type !== 'READY_WAIT' && type !== 'TERMINATION_WAIT')
          throw refuse(
            'InvalidDeploymentWaitType',
            `deploymentWaitType must be READY_WAIT or TERMINATION_WAIT, not '${String(type)}'.`,
          );
        const viewed = await deployment(api, call.account, deploymentId);
        const { record } = viewed;
        if (viewed.isRollback || isDone(viewed.progress)) throw completed(record.id);
        const { historic } = await historicOf(api, call.account, record);
        if (historic === undefined) throw refuse('DeploymentNotStarted', `The deployment ${record.id} has not begun.`);
        const ref = { ...serviceOf(call.account, record), deploymentId: record.start.id };
        if (type === 'TERMINATION_WAIT') {
          if (!(await endBake(api, ref, record.start.id)))
            throw refuse(
              'DeploymentIsNotInReadyState',
              `The deployment ${record.id} does not wait for the end of the old tasks.`,
            );
          return {};
        }
        const { shifting } = historic.service?.deployments.find(({ id }) => id === record.start.id) ?? {};
        const run = shifting === undefined ? undefined : readyRun(record, shifting);
        if (run === undefined)
          throw refuse(
            'DeploymentIsNotInReadyState',
            `The deployment ${record.id} does not wait for anybody to let traffic go to the new tasks.`,
          );
        await decidePause(api, ref, run.id, 'CONTINUE', call.principal.arn);
        return {};
      },
    },
    StopDeployment: {
      access: ({ deploymentId }, call) => allow('StopDeployment', deploymentId, call),
      handle: async ({ deploymentId, autoRollbackEnabled }, call) => {
        const { account } = call;
        const viewed = await deployment(api, account, deploymentId);
        const { id, rollback } = viewed.record;
        if (viewed.isRollback || isDone(viewed.progress)) throw completed(checkId(deploymentId));
        const goesBack = autoRollbackEnabled ?? rollback.includes('DEPLOYMENT_STOP_ON_REQUEST');
        await transact(api.records, codeDeployPartition(account), async (tx) => {
          const key = codeDeployKeys.deployment(id);
          const record = await tx.get<CodeDeployRecord>(key);
          if (record === undefined) throw noDeployment(id);
          if (record.ended !== undefined) throw completed(id);
          if (record.stop !== undefined) return;
          tx.put(key, toJson({ ...record, stop: { at: api.clock.now(), by: call.principal.arn, goesBack } }));
        });
        await bringOn(api, account, id);
        const { status } = standing(await deployment(api, account, id));
        if (status === 'Stopped')
          return { status: 'Succeeded' as const, statusMessage: `The deployment ${id} has been stopped.` };
        return {
          status: 'Pending' as const,
          statusMessage: `The deployment ${id} is being stopped${goesBack ? ', and traffic goes back to the old tasks' : ''}.`,
        };
      },
    },
  };
}

const completed = (id: string): Error =>
  refuse('DeploymentAlreadyCompleted', `The deployment ${id} is already completed`);

const ids = /^d-[A-Z0-9]{9}$/;

/** @throws DeploymentIdRequiredException, InvalidDeploymentIdException */
export function checkId(id: string | undefined): string {
  if (id === undefined || id === '') throw refuse('DeploymentIdRequired', 'Deployment ID is required.');
  if (!ids.test(id)) throw refuse('InvalidDeploymentId', `'${id.slice(0, 100)}' is not the id of a deployment.`);
  return id;
}

/** A deployment by its id, or the rollback of one by its own. @throws DeploymentDoesNotExistException */
export async function deployment(api: CodeDeployApi, account: string, id: string | undefined): Promise<Viewed> {
  const found = await findDeployment(api, account, checkId(id));
  if (found === undefined) throw noDeployment(id ?? '');
  return found;
}

async function findDeployment(api: CodeDeployApi, account: string, id: string): Promise<Viewed | undefined> {
  const record = await findRecord(api, account, id);
  if (record === undefined) return undefined;
  const progress = await lookAt(api, account, record);
  if (record.id === id) return { record, progress, isRollback: false };
  return progress.rollback === undefined ? undefined : { record, progress, isRollback: true };
}

/** The deployment that an id is of, its own or that of its rollback. Asked before anybody is known to have rights: two reads, and no more. */
export async function findRecord(
  { records }: Pick<CodeDeployApi, 'records'>,
  account: string,
  id: string,
): Promise<CodeDeployRecord | undefined> {
  if (!ids.test(id)) return undefined;
  const partition = codeDeployPartition(account);
  const find = async (of: string): Promise<CodeDeployRecord | undefined> =>
    (await records.get<CodeDeployRecord>(partition, codeDeployKeys.deployment(of)))?.value;
  const own = await find(id);
  if (own !== undefined) return own;
  const key = codeDeployKeys.rollback(id);
  const back = await records.get<{ readonly deployment: string }>(partition, key);
  return back === undefined ? undefined : find(back.value.deployment);
}

/** Every deployment that is known, and every rollback. */
async function everyDeployment(api: CodeDeployApi, account: string): Promise<Viewed[]> {
  const rows = await scanAll<CodeDeployRecord>(api.records, codeDeployPartition(account), codeDeployKeys.deployments);
  const viewed = await Promise.all(
    rows.map(async (record): Promise<Viewed[]> => {
      const progress = await lookAt(api, account, record);
      const one = { record, progress };
      return [
        { ...one, isRollback: false },
        ...(progress.rollback === undefined ? [] : [{ ...one, isRollback: true }]),
      ];
    }),
  );
  return viewed.flat();
}
