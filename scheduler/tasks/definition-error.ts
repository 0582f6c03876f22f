import { clientError } from '../cluster/index.ts';

/** Refuses a task definition: ClientException, as RegisterTaskDefinition does. */
export function refuse(message: string): never {
  throw clientError(message);
}

/** @throws ClientException when two of a kind have one name */
export function checkUnique(what: string, names: readonly (string | undefined)[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) refuse(`Duplicate ${what} name '${twice}'.`);
}

/** Refuses a setting of one container. */
export function refuseContainer(container: string | undefined, message: string): never {
  refuse(`Invalid setting for container '${container ?? ''}'. ${message}`);
}

/** @throws ClientException unless `value` is absent or a whole number in the range */
export function checkRange(
  container: string | undefined,
  member: string,
  value: number | undefined,
  low: number,
  high: number,
): void {
  if (value === undefined || (Number.isInteger(value) && value >= low && value <= high)) return;
  refuseContainer(container, `'${member}' must be a whole number from ${low} to ${high}, not ${value}.`);
}

/** @throws ClientException unless `value` is absent or one of `allowed` */
export function checkOneOf(
  container: string | undefined,
  member: string,
  value: string | undefined,
  allowed: readonly string[],
): void {
  if (value === undefined || allowed.includes(value)) return;
  refuseContainer(container, `'${member}' must be one of ${allowed.join(', ')}, not '${value}'.`);
}
