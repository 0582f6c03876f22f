/** Options the simulation commands share, parsed with an error a person can act on. */
import type { ConstraintSpec, StrategySpec } from '@slipway/scheduler/placement';
import { CliError } from '../cli/errors.ts';
import type { InstanceType } from './capacity.ts';

/** For options that may be given several times. */
export const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** `name=vCPU,MiB[,GPUs]`, such as `m.large=2,8192`. */
export function parseInstanceType(text: string): InstanceType {
  const match = /^([^=]+)=(\d+(?:\.\d+)?),(\d+)(?:,(\d+))?$/.exec(text);
  if (match === null) {
    throw new CliError(`--instance-type is name=vCPU,MiB[,GPUs], such as m.large=2,8192, not '${text}'`, 2);
  }
  const [, name = '', cpu, memory, gpus = '0'] = match;
  const attributes = new Map([['ecs.instance-type', name]]);
  return { name, cpu: Math.round(Number(cpu) * 1024), memory: Number(memory), gpus: Number(gpus), attributes };
}

/** `random`, `binpack=memory`, `spread=attribute:ecs.availability-zone`, or a plug-in's `vendor:name[=field]`. */
export function parseStrategy(text: string): StrategySpec {
  const [type = '', field] = text.split(/=(.*)/s);
  if (!/^(random|binpack|spread|[a-z][a-z0-9-]*:[a-z][a-z0-9-]*)$/.test(type)) {
    throw new CliError(`--strategy is random, binpack=FIELD, spread=FIELD or vendor:name, not '${text}'`, 2);
  }
  return (field === undefined ? { type } : { type, field }) as StrategySpec;
}

/** `distinctInstance`, or an expression of the cluster query language. */
export function parseConstraint(text: string): ConstraintSpec {
  return text === 'distinctInstance' ? { type: 'distinctInstance' } : { type: 'memberOf', expression: text };
}

/** A whole number from 0. */
export function parseCount(name: string): (text: string) => number {
  return (text) => {
    if (/^\d{1,9}$/.test(text)) return Number(text);
    throw new CliError(`${name} is a whole number, not '${text}'`, 2);
  };
}
