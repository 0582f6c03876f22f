type Options = Readonly<Record<string, string>>;

/** The routers of FireLens, each with the option that names where its containers' output goes. */
const routers: ReadonlyMap<string, { readonly output: string; readonly key: RegExp }> = new Map([
  ['fluentbit', { output: 'Name', key: /^\w[\w.-]{0,254}$/ }],
  // Its own members begin with an at; `@include` would read another file in the middle of the section.
  ['fluentd', { output: '@type', key: /^(?!@include$)@?\w[\w.-]{0,254}$/i }],
]);

/** Options of `awsfirelens` that are not the output's: what the agent makes filters and options of Docker's driver of. */
export const firelensOwnOptions: ReadonlySet<string> = new Set([
  'include-pattern',
  'exclude-pattern',
  'log-driver-buffer-limit',
]);

/** Lines that Docker's driver keeps for a router that does not take them: each may have 16 KiB, in the memory of the engine. */
const buffer = { usual: 4_096, most: 65_536 } as const;
/** Fewer lines than these may be asked for (ECS developer guide, "Configuring Amazon ECS logs for high throughput"). */
const bufferBound = 536_870_912;

/**
 * How many lines wait for a router, as an option of Docker's driver; 0 is the driver's own usual number. More than an engine should have to
 * hold are not kept, whatever was asked for: public definitions ask for millions.
 */
export function firelensBuffer({ 'log-driver-buffer-limit': asked }: Options): string {
  return String(asked === undefined ? buffer.usual : Math.min(Number(asked), buffer.most));
}

/** An object of S3. */
const objectArn = /^arn:aws[a-z-]*:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/[^\p{Cc}]{1,1024}$/u;

/** Characters that end a line, or that no text has. */
// oxlint-disable-next-line no-control-regex -- to be refused
const control = /[\0-\x1f\x7f\u0085\u2028\u2029]/;

/**
 * Why a container cannot be its task's log router with this `firelensConfiguration`, or undefined. (ECS developer guide, "Example
 * task definition: Route logs to FireLens", "Using a custom configuration file".)
 */
export function refuseRouter(type: string | undefined, options: Options): string | undefined {
  if (!routers.has(type ?? '')) return `The type of a log router is one of ${[...routers.keys()].join(', ')}.`;
  const { 'enable-ecs-log-metadata': metadata, 'config-file-type': kind, 'config-file-value': file, ...more } = options;
  const [unknown] = Object.keys(more);
  if (unknown !== undefined) return `A log router has no option '${unknown}'.`;
  if (metadata !== undefined && metadata !== 'true' && metadata !== 'false')
    return "The option 'enable-ecs-log-metadata' is true or false.";
  if (kind !== undefined && kind !== 'file' && kind !== 's3')
    return `The option 'config-file-type' cannot be '${kind}': it is file or s3.`;
  if ((kind === undefined) !== (file === undefined))
    return "The options 'config-file-type' and 'config-file-value' go together.";
  if (file !== undefined && kind === 's3' && !objectArn.test(file))
    return "The option 'config-file-value' is the ARN of an object, arn:aws:s3:::bucket/key.";
  if (file !== undefined && kind === 'file' && !/^\/[\w./*+@%=,:-]{1,1023}$/.test(file))
    return "The option 'config-file-value' is the absolute path of a file in the router's image, without spaces.";
  return undefined;
}

/**
 * Why what the log driver `awsfirelens` was given cannot stand in the configuration of a router of this type, or undefined: it must name
 * an output, and nothing in it may end the line or the section that it is written into.
 * @param secrets names of options whose values are secrets, which the configuration refers to as variables
 */
export function refuseRouted(type: string, options: Options, secrets: readonly string[] = []): string | undefined {
  const router = routers.get(type);
  if (router === undefined) return refuseRouter(type, {});
  for (const [name, value] of Object.entries(options)) {
    const own = firelensOwnOptions.has(name);
    if (!own && !router.key.test(name))
      return `The log option ${JSON.stringify(name)} is no name of an option of ${type}.`;
    if (value === '') return `The log option '${name}' has no value.`;
    if (control.test(value)) return `The log option '${name}' has a line break or another control character.`;
    if (type === 'fluentd' && isOpen(value))
      return `The log option '${name}' begins with ${value[0]} and does not end it.`;
  }
  for (const name of secrets) {
    if (firelensOwnOptions.has(name) || name === router.output)
      return `The log option '${name}' cannot be one of 'secretOptions': the router's configuration is made of it.`;
    if (!router.key.test(name))
      return `The log option ${JSON.stringify(name)} in 'secretOptions' is no name of an option of ${type}.`;
  }
  const limit = options['log-driver-buffer-limit'];
  if (limit !== undefined && !(/^\d{1,9}$/.test(limit) && Number(limit) < bufferBound))
    return `The log option 'log-driver-buffer-limit' is a number of lines from 0 to ${bufferBound - 1}, not '${limit}'.`;
  const forOutput = [...Object.keys(options).filter((name) => !firelensOwnOptions.has(name)), ...secrets];
  if (forOutput.length > 0 && options[router.output] === undefined)
    return `The log option '${router.output}' is missing: it names the output of a router of type ${type}.`;
  return undefined;
}

const pairs: Readonly<Record<string, string>> = { '"': '"', "'": "'", '[': ']', '{': '}' };

/** Whether Fluentd would read on in the next lines: values that begin so end where the sign is closed. */
function isOpen(value: string): boolean {
  const text = value.trim();
  const end = pairs[text.charAt(0)];
  return end !== undefined && (text.length < 2 || !text.endsWith(end) || text.endsWith(`\\${end}`));
}

/** The option of a router's type that names an output. */
export const outputOption = (type: string): string => routers.get(type)?.output ?? 'Name';
