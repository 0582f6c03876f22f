import { invalidParameter } from './errors.ts';
import type { Scene } from './operation.ts';
import type { SecretValue } from './records.ts';
import type { NewVersion } from './store.ts';

/** A value, bytes (Secrets Manager user guide, "Quotas"). */
const mostBytes = 65_536;
/** A value of nothing but characters that JSON escapes is six times as long there. */
export const mostBody = 8 * mostBytes;

/** The version that a request adds; undefined when it has no value. @throws InvalidParameterException */
export function versionOf(
  { api }: Scene,
  given: {
    readonly ClientRequestToken?: string | undefined;
    readonly SecretString?: string | undefined;
    readonly SecretBinary?: Uint8Array | undefined;
  },
): NewVersion | undefined {
  const { SecretString: string, SecretBinary: binary } = given;
  if (string !== undefined && binary !== undefined)
    throw invalidParameter(
      "You can't specify both a binary secret value and a string secret value in the same secret.",
    );
  if (string === undefined && binary === undefined) return undefined;
  const value: SecretValue =
    binary === undefined
      ? { kind: 'string', text: string ?? '' }
      : { kind: 'binary', text: Buffer.from(binary).toString('base64') };
  const size = binary?.length ?? Buffer.byteLength(value.text);
  if (size === 0) throw invalidParameter('You must provide either SecretString or SecretBinary.');
  if (size > mostBytes) throw invalidParameter(`The secret value has ${size} bytes: it has at most ${mostBytes}.`);
  return { id: given.ClientRequestToken ?? newVersionId(api.random(16)), value };
}

/** Of version 4, as the SDKs make them. */
export function newVersionId(random: Uint8Array): string {
  const bytes = Buffer.from(random);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
