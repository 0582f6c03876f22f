/** Who rotates secrets, and when. */
export { createRotationAdministration } from './administer.ts';
export type { RotationPorts } from './ports.ts';
export { AccountRotations, SecretRotator } from './rotator.ts';
export { rotationTargets } from './targets.ts';
