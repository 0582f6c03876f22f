import { globSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { check, type CommandResult, run } from './command.ts';

/** Folders in which Terraform providers usually lie unpacked; `SLIPWAY_TEST_TERRAFORM_PLUGINS` names another. */
function findProvider(): { readonly mirror: string; readonly version: string } | undefined {
  const places = [
    process.env['SLIPWAY_TEST_TERRAFORM_PLUGINS'],
    process.env['TF_PLUGIN_CACHE_DIR'],
    join(homedir(), '.terraform.d', 'plugins'),
    join(homedir(), '.local', 'share', 'terraform', 'plugins'),
    '/usr/local/share/terraform/plugins',
    '/usr/share/terraform/plugins',
    ...globSync('/opt/*'),
  ];
  for (const mirror of places.filter((place) => place !== undefined)) {
    const [found] = globSync('registry.terraform.io/hashicorp/aws/*/*/terraform-provider-aws*', { cwd: mirror });
    if (found) return { mirror, version: found.split('/')[3] as string };
  }
  return undefined;
}

const provider = findProvider();
const terraform = (await run('terraform', ['version']).catch(() => undefined))?.code === 0;

/** Why Terraform cannot be tried on this machine; undefined when it can. */
export const missingTerraform: string | undefined = terraform
  ? provider
    ? undefined
    : 'no unpacked Terraform AWS provider'
  : 'no terraform binary';

/** Most of what the provider does is to wait, in its own intervals, for what is so already. */
const atOnce = '-parallelism=40';

/** Terraform with its AWS provider, pointed at a server, in a folder of its own. */
export class Terraform {
  readonly #cwd: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #head: string;

  /**
   * @param aws the `AWS_…` variables of the caller
   * @param services whose calls go to the server, e.g. `ecr`
   */
  constructor(folder: string, aws: Readonly<Record<string, string>>, endpoint: string, services: readonly string[]) {
    this.#cwd = join(folder, 'work');
    mkdirSync(this.#cwd);
    const rc = join(folder, 'terraform.rc');
    writeFileSync(rc, `provider_installation { filesystem_mirror { path = ${JSON.stringify(provider?.mirror)} } }\n`);
    this.#env = { ...aws, TF_CLI_CONFIG_FILE: rc, TF_IN_AUTOMATION: '1', CHECKPOINT_DISABLE: '1' };
    this.#head = `
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "${provider?.version ?? ''}" }
  }
}
provider "aws" {
  skip_metadata_api_check = true
  skip_region_validation  = true
  s3_use_path_style       = true
  endpoints {
${services.map((service) => `    ${service} = "${endpoint}"`).join('\n')}
  }
}
`;
  }

  /** Puts resources in place of those before. */
  write(resources: string): void {
    writeFileSync(join(this.#cwd, 'main.tf'), this.#head + resources);
  }

  init(): Promise<string> {
    return check('terraform', ['init', '-input=false', '-no-color'], this.#options);
  }

  /** @returns what it printed. @throws Error when it failed */
  apply(): Promise<string> {
    return check('terraform', ['apply', '-auto-approve', '-input=false', '-no-color', atOnce], this.#options);
  }

  /** Exit code 0: nothing differs; 2: something read back differs from what was asked for. */
  plan(): Promise<CommandResult> {
    return run('terraform', ['plan', '-detailed-exitcode', '-input=false', '-no-color'], this.#options);
  }

  destroy(): Promise<string> {
    return check('terraform', ['destroy', '-auto-approve', '-input=false', '-no-color', atOnce], this.#options);
  }

  get #options() {
    return { cwd: this.#cwd, env: this.#env, timeout: 400_000 };
  }
}
