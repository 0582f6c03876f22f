import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateRepositoryCommand, ECRClient } from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { check, run } from '../testbed/command.ts';
import { freePort, ServerProcess } from '../testbed/server-process.ts';

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
const missing = terraform ? (provider ? undefined : 'no unpacked Terraform AWS provider') : 'no terraform binary';
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

const folder = mkdtempSync(join(tmpdir(), 'slipway-terraform-'));
let server: ServerProcess;
let env: Record<string, string>;

beforeAll(async () => {
  if (missing !== undefined) return;
  server = new ServerProcess(await freePort(), join(folder, 'data'), { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
  await server.start();
  env = {
    ...server.aws(),
    TF_CLI_CONFIG_FILE: join(folder, 'terraform.rc'),
    TF_IN_AUTOMATION: '1',
    CHECKPOINT_DISABLE: '1',
  };
  writeFileSync(
    join(folder, 'terraform.rc'),
    `provider_installation { filesystem_mirror { path = ${JSON.stringify(provider?.mirror)} } }\n`,
  );
});

afterAll(async () => {
  if (missing === undefined) await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const configuration = (endpoint: string, version: string): string => `
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "${version}" }
  }
}
provider "aws" {
  skip_metadata_api_check = true
  skip_region_validation  = true
  endpoints {
    ecr = "${endpoint}"
    sts = "${endpoint}"
    iam = "${endpoint}"
  }
}
data "aws_caller_identity" "me" {}
resource "aws_iam_user" "deployer" {
  name = "terraform-deployer"
}
resource "aws_ecr_repository" "app" {
  name                 = "terraform/app"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = true
  image_scanning_configuration {
    scan_on_push = true
  }
  tags = { team = "blue" }
}
resource "aws_ecr_repository" "plain" {
  name = "terraform/plain"
}
resource "aws_ecr_repository_policy" "app" {
  repository = aws_ecr_repository.app.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "pull"
      Effect    = "Allow"
      Principal = { AWS = aws_iam_user.deployer.arn }
      Action    = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    }]
  })
}
resource "aws_ecr_lifecycle_policy" "app" {
  repository = aws_ecr_repository.app.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "untagged images go after two weeks"
      selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 14 }
      action       = { type = "expire" }
    }]
  })
}
resource "aws_ecr_registry_policy" "registry" {
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "replicate"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::\${data.aws_caller_identity.me.account_id}:root" }
      Action    = ["ecr:ReplicateImage"]
      Resource  = "arn:aws:ecr:us-east-1:\${data.aws_caller_identity.me.account_id}:repository/*"
    }]
  })
}
resource "aws_ecr_repository_creation_template" "made" {
  prefix               = "terraform-made"
  description          = "as Terraform says"
  image_tag_mutability = "IMMUTABLE"
  applied_for          = ["PULL_THROUGH_CACHE"]
  encryption_configuration {
    encryption_type = "AES256"
  }
  repository_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "pull"
      Effect    = "Allow"
      Principal = { AWS = aws_iam_user.deployer.arn }
      Action    = ["ecr:BatchGetImage"]
    }]
  })
  lifecycle_policy = aws_ecr_lifecycle_policy.app.policy
}
resource "aws_ecr_pull_through_cache_rule" "public" {
  ecr_repository_prefix = "terraform-public"
  upstream_registry_url = "public.ecr.aws"
}
resource "aws_ecr_registry_scanning_configuration" "registry" {
  scan_type = "BASIC"
  rule {
    scan_frequency = "SCAN_ON_PUSH"
    repository_filter {
      filter      = "terraform/*"
      filter_type = "WILDCARD"
    }
  }
}
resource "aws_ecr_account_setting" "scope" {
  name  = "REGISTRY_POLICY_SCOPE"
  value = "V2"
}
`;

test.skipIf(missing !== undefined)(
  `Terraform applies everything of a registry, sees no difference afterwards, and destroys it${missing ? ` (${missing})` : ''}`,
  async () => {
    const cwd = join(folder, 'work');
    mkdirSync(cwd);
    const write = (text: string): void => writeFileSync(join(cwd, 'main.tf'), text);
    const text = configuration(server.endpoint, provider?.version ?? '');
    write(text);
    const options = { cwd, env, timeout: 400_000 };
    await check('terraform', ['init', '-input=false', '-no-color'], options);
    const applied = await check('terraform', ['apply', '-auto-approve', '-input=false', '-no-color'], options);
    expect(applied).toContain('Apply complete! Resources: 10 added, 0 changed, 0 destroyed.');
    // Exit code 2 would mean that something read back differs from what was asked for.
    const planned = await run('terraform', ['plan', '-detailed-exitcode', '-input=false', '-no-color'], options);
    expect(planned.stdout + planned.stderr).toContain('No changes.');
    expect(planned.code).toBe(0);

    write(
      text
        .replace('image_tag_mutability = "IMMUTABLE"\n  force', 'image_tag_mutability = "MUTABLE"\n  force')
        .replace('team = "blue"', 'team = "red"')
        .replace('as Terraform says', 'as changed'),
    );
    const changed = await check('terraform', ['apply', '-auto-approve', '-input=false', '-no-color'], options);
    expect(changed).toContain('Apply complete! Resources: 0 added, 2 changed, 0 destroyed.');
    const destroyed = await check('terraform', ['destroy', '-auto-approve', '-input=false', '-no-color'], options);
    expect(destroyed).toContain('Destroy complete! Resources: 10 destroyed.');
    const ecr = new ECRClient({
      endpoint: server.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' },
    });
    // The name is free again.
    await ecr.send(new CreateRepositoryCommand({ repositoryName: 'terraform/app' }));
    ecr.destroy();
  },
  900_000,
);
