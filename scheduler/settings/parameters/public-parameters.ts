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

const machineImages = '/aws/service/ecs/optimized-ami/';
const logRouters = '/aws/service/aws-for-fluent-bit/';
/** Versions of that image that never change, and the names that move on. */
const routerTag = /^(?:init-)?(?:stable|latest|[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4})$/;

/**
 * The value of a public parameter that templates of AWS read.
 *
 * - Which image hosts of ECS have: the id means no image of AWS; it is handed to the provider of machines, which may know it as the usual
 *   image of that family.
 * - Which image log routers have (ECS developer guide, "AWS for Fluent Bit image repositories"): the one of the public registry, as those
 *   of the regions are only given to accounts of AWS. That there is such a version is not known here.
 * @returns undefined for every other name
 */
export function publicParameter(name: string): string | undefined {
  if (name.startsWith(machineImages)) return machineImage(name.slice(machineImages.length));
  const tag = name.startsWith(logRouters) ? name.slice(logRouters.length) : '';
  return routerTag.test(tag) ? `public.ecr.aws/aws-observability/aws-for-fluent-bit:${tag}` : undefined;
}

function machineImage(name: string): string | undefined {
  const [, family = '', member] = /^(.+?)\/recommended(?:\/([a-z_]+))?$/.exec(name) ?? [];
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
