import { control } from './control.ts';
import { deployments } from './deployments.ts';
import { hosts } from './hosts.ts';
import { kindsOfDays } from './kinds-of-days.ts';
import type { Mutation } from './mutation.ts';
import { network } from './network.ts';

export type { Mutation } from './mutation.ts';

/** Each is made in memory, for one process, and must be caught: a simulation that finds nothing wrong with these finds nothing. */
export const mutations: readonly Mutation[] = [deployments, hosts, control, network, kindsOfDays].flat();
