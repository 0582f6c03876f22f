import { refuse } from './definition-error.ts';

/**
 * Task-level CPU in CPU units, from units (`512`) or vCPUs (`.5 vCPU`).
 * @throws ClientException when it is neither, or not from 128 to 196608 units
 */
export function parseTaskCpu(text: string): string {
  const [, number, unit] = /^\s*(\d+|\d*\.\d+)\s*(vcpu)?\s*$/i.exec(text) ?? [];
  const units = number === undefined ? Number.NaN : Number(number) * (unit === undefined ? 1 : 1024);
  if (!Number.isInteger(units) || units < 128 || units > 196_608) {
    refuse(`Invalid 'cpu' setting for task: '${text}'. Use 128 to 196608 CPU units, or vCPUs such as '1 vCPU'.`);
  }
  return String(units);
}

/**
 * Task-level memory in MiB, from MiB (`512`) or GiB (`0.5 GB`).
 * @throws ClientException when it is neither, or below 6 MiB
 */
export function parseTaskMemory(text: string): string {
  const [, number, unit] = /^\s*(\d+|\d*\.\d+)\s*(gb|mb)?\s*$/i.exec(text) ?? [];
  const mebibytes = number === undefined ? Number.NaN : Number(number) * (unit?.toLowerCase() === 'gb' ? 1024 : 1);
  if (!Number.isInteger(mebibytes) || mebibytes < 6) {
    refuse(`Invalid 'memory' setting for task: '${text}'. Use MiB such as '512', or '1 GB'; at least 6 MiB.`);
  }
  return String(mebibytes);
}
