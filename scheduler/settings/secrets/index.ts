/** Secrets and their values, and the API of Secrets Manager. */
export { allow } from './allow.ts';
export { createSecretsManager, secretsSchemas } from './create-secrets-manager.ts';
export { notFound } from './errors.ts';
export { randomLetters } from './letters.ts';
export {
  type Rotation,
  type RotationRun,
  secretKeys,
  type SecretRecord,
  secretRows,
  secretsPartition,
} from './records.ts';
export { begun, isPending, rotationDue, type StepOutcome, stepped, withNext } from './rotating.ts';
export { clusterTag, type RotationTargets } from './rotation-port.ts';
export { newVersionId } from './given-value.ts';
export { Secrets, type VersionChoice } from './store.ts';
