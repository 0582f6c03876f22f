import { createHash } from 'node:crypto';

/** Families of images for hosts of ECS, as their public parameters name them (ECS developer guide, "Retrieving Amazon ECS-optimized Linux AMI metadata"). */
const families: Readonly<Record<string, string>> = {
  'amazon-linux-2': 'Amazon Linux 2',
  'amazon-linux-2/arm64': 'Amazon Linux 2',
  'amazon-linux-2/gpu': 'Amazon Linux 2',
  'amazon-linux-2/kernel-5.10': 'Amazon Linux 2',
  'amazon-linux-2/kernel-5.10/arm64': 'Amazon Linux 2',
  'amazon-linux-2023': 'Amazon Linux 2023',
  'amazon-linux-2023/arm64': 'Amazon Linux 2023',
  'amazon-linux-2023/gpu': 'Amazon Linux 2023',
};

const below = '/aws/service/ecs/optimized-ami/';

/**
 * The value of a public parameter that templates of AWS read: which image hosts of ECS have. The id means no image of AWS; it is handed to the provider of machines, which may
 * know it as the usual image of that family.
 * @returns undefined for every other name
 */
export function publicParameter(name: string): string | undefined {
  if (!name.startsWith(below)) return undefined;
  const [, family = '', member] = /^(.+?)\/recommended(?:\/([a-z_]+))?$/.exec(name.slice(below.length)) ?? [];
  const os = Object.hasOwn(families, family) ? families[family] : undefined;
  if (os === undefined) return undefined;
  const values: Readonly<Record<string, string | number>> = {
    schema_version: 1,
    image_id: `ami-${createHash('sha256').update(`ecs-optimized ${family}`).digest('hex').slice(0, 17)}`,
    image_name: `slipway-ecs-${family.replaceAll('/', '-')}`,
    os,
  };
  if (member === undefined) return JSON.stringify(values);
  return Object.hasOwn(values, member) ? String(values[member]) : undefined;
}
