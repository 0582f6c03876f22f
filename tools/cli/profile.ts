import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { CliError } from './errors.ts';

type Environment = Record<string, string | undefined>;
type Sections = Readonly<Record<string, Readonly<Record<string, string | undefined>> | undefined>>;

/** Commands that are servers and hosts, or look after stores where those are: their AWS_* variables mean something else. Or that call nobody. */
const apart = new Set(['serve', 'env', 'agent', 'balancer', 'tls', 'gc', 'storage', 'conformance', 'completion']);

/** The services that commands call, as `services` sections of the configuration name them. */
const called = [
  'ecs',
  'ecr',
  'iam',
  'sts',
  'ec2',
  'elastic_load_balancing_v2',
  'cloudwatch',
  'cloudwatch_logs',
  'secrets_manager',
  'application_auto_scaling',
  'efs',
  'codedeploy',
];

/**
 * Has a command call as the AWS profile says, where no variables of the shell say all of it: `~/.aws/config` and `~/.aws/credentials`
 * (`AWS_CONFIG_FILE`, `AWS_SHARED_CREDENTIALS_FILE`), `AWS_PROFILE`, `region`, `endpoint_url` and its `services` sections, keys, roles,
 * `credential_process`, read by the SDK's own loader. The profile `default` counts only with an endpoint of its own: without one it
 * is about AWS, and whoever names no profile means the server of the data folder.
 * @param command the first word of the command line
 * @throws CliError when the profile is not there, has no endpoint or no credentials
 */
export async function adoptProfile(command: string, environment: Environment = process.env): Promise<void> {
  if (apart.has(command) || isComplete(environment)) return;
  const files = [
    environment['AWS_CONFIG_FILE'] ?? join(homedir(), '.aws', 'config'),
    environment['AWS_SHARED_CREDENTIALS_FILE'] ?? join(homedir(), '.aws', 'credentials'),
  ];
  if (environment['AWS_PROFILE'] === undefined && !files.some((file) => existsSync(file))) return;
  // The AWS SDK's own, which its clients read these files with.
  const { loadSharedConfigFiles } = await import('@smithy/core/config');
  const { configFile, credentialsFile } = await loadSharedConfigFiles({
    filepath: files[1] ?? '',
    configFilepath: files[0] ?? '',
  });
  const meant = meantProfile(environment, configFile, credentialsFile);
  if (meant === undefined) return;
  environment['AWS_ENDPOINT_URL'] = meant.endpoint;
  environment['AWS_REGION'] ??= environment['AWS_DEFAULT_REGION'] ?? meant.region;
  if (environment['AWS_ACCESS_KEY_ID'] !== undefined) return;
  const { fromIni } = await import('@aws-sdk/credential-provider-ini');
  const clientConfig = { endpoint: meant.endpoint, region: environment['AWS_REGION'] };
  const keys = await fromIni({
    profile: meant.name,
    filepath: files[1] ?? '',
    configFilepath: files[0] ?? '',
    clientConfig,
  })().catch((error: unknown) => {
    throw new CliError(`the profile ${meant.name}: ${(error as Error).message}`);
  });
  environment['AWS_ACCESS_KEY_ID'] = keys.accessKeyId;
  environment['AWS_SECRET_ACCESS_KEY'] = keys.secretAccessKey;
  delete environment['AWS_SESSION_TOKEN'];
  if (keys.sessionToken !== undefined) environment['AWS_SESSION_TOKEN'] = keys.sessionToken;
}

/** Whether variables of the shell say all. */
const isComplete = (environment: Environment): boolean =>
  environment['AWS_ENDPOINT_URL'] !== undefined && environment['AWS_ACCESS_KEY_ID'] !== undefined;

/** A profile, and where it leads. */
export interface MeantProfile {
  readonly name: string;
  readonly endpoint: string;
  readonly region: string;
}

/** The profile that a command is to use; undefined for none. @throws CliError */
export function meantProfile(
  environment: Readonly<Environment>,
  config: Sections,
  credentials: Sections,
): MeantProfile | undefined {
  const asked = environment['AWS_PROFILE'];
  const name = asked ?? 'default';
  const profile = { ...credentials[name], ...config[name] };
  if (config[name] === undefined && credentials[name] === undefined) {
    if (asked === undefined) return undefined;
    throw new CliError(`there is no profile ${name}: aws configure --profile ${name} makes it, or unset AWS_PROFILE`);
  }
  const own =
    environment['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'] === 'true' ? undefined : endpointIn(name, profile, config);
  if (asked === undefined && own === undefined) return undefined;
  const endpoint = environment['AWS_ENDPOINT_URL_ECS'] ?? environment['AWS_ENDPOINT_URL'] ?? own;
  if (endpoint === undefined)
    throw new CliError(
      `the profile ${name} has no endpoint_url, so it is about AWS itself: aws configure set endpoint_url http://127.0.0.1:7500 --profile ${name} makes it one of this installation, or set AWS_ENDPOINT_URL`,
    );
  return { name, endpoint, region: profile.region ?? 'us-east-1' };
}

/** Where the calls of a profile go: the section of services that it names, and before that what it says of all. */
function endpointIn(name: string, profile: NonNullable<Sections[string]>, config: Sections): string | undefined {
  const services = profile['services'] === undefined ? undefined : config[`services.${profile['services']}`];
  const general = profile['endpoint_url'];
  const each = called.flatMap((service) => services?.[`${service}.endpoint_url`] ?? general ?? []);
  const [first] = each;
  if (first === undefined) return undefined;
  if (each.some((one) => one !== first))
    throw new CliError(
      `the profile ${name} sends services to several endpoints (${[...new Set(each)].join(', ')}): slipway calls one; set AWS_ENDPOINT_URL`,
    );
  return first;
}
