import type { Mutation } from './mutation.ts';

/** Mistakes with addresses of tasks and with traffic to them. */
export const network: readonly Mutation[] = [
  {
    name: 'the address of a task is given back when it is told to stop',
    file: 'scheduler/hosts/control/control-session.ts',
    find: "if (task.lastStatus !== 'DEPROVISIONING' || task.attachment === undefined) continue;",
    replace: "if (task.desiredStatus !== 'STOPPED' || task.attachment === undefined) continue;",
    caughtBy: ['address'],
  },
  {
    name: 'hosts take ranges without looking at those of others',
    file: 'scheduler/network/tasks/interfaces.ts',
    find: 'slices.flatMap(({ cidr }) => parseCidr(cidr) ?? []),',
    replace: 'slices.flatMap((one) => (one.instanceId === host.instance.id ? (parseCidr(one.cidr) ?? []) : [])),',
    caughtBy: ['address'],
  },
  {
    name: 'an address that is given back stays with its range',
    file: 'scheduler/network/records/interfaces.ts',
    find: 'tx.remove(networkKeys.interface(id));',
    replace: '',
    caughtBy: ['address', 'repaired'],
  },
  {
    name: 'whoever leaves a group stays in it for hosts that knew of it',
    file: 'scheduler/hosts/wire/network-change.ts',
    find: 'for (const one of left) members.delete(one);',
    replace: '',
    caughtBy: ['repaired'],
  },
  {
    name: 'a task is stopped before engines have acknowledged that it is out',
    file: 'scheduler/balancing/traffic/keeper.ts',
    find: 'const isQuiet = engines.every((one) => one.oldestServing >= version && one.quiet.includes(id));',
    replace: 'const isQuiet = true;',
    caughtBy: ['reached'],
    from: 15,
  },
  {
    name: 'a traffic engine that is silent for some seconds is not waited for',
    file: 'scheduler/balancing/traffic/keeper.ts',
    find: 'all.filter((one) => silentFor(one) < defaultTiming.gone + delay);',
    replace: 'all.filter((one) => silentFor(one) < 4_000);',
    caughtBy: ['reached'],
    from: 8,
    days: { shifts: true },
  },
];
