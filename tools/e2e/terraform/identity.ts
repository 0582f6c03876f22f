import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Configuration } from './configuration.ts';

/** A self-signed certificate and its key, in PEM. */
function certificate(folder: string): { readonly body: string; readonly key: string } {
  const [cert, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', '/CN=web.example.com', '-days', '30', '-nodes', '-newkey', 'rsa:2048'];
  execFileSync('openssl', ['req', '-x509', ...subject, '-keyout', key, '-out', cert], { stdio: 'pipe' });
  return { body: readFileSync(cert, 'utf8').trim(), key: readFileSync(key, 'utf8').trim() };
}

const configuration = (folder: string): string => {
  const { body, key } = certificate(folder);
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString().trim();
  return `
resource "aws_iam_account_alias" "alias" {
  account_alias = "terraform-team"
}
resource "aws_iam_account_password_policy" "strict" {
  minimum_password_length        = 12
  require_lowercase_characters   = true
  require_numbers                = true
  require_uppercase_characters   = true
  require_symbols                = true
  allow_users_to_change_password = true
  max_password_age               = 90
  password_reuse_prevention      = 5
}
resource "aws_iam_user" "dev" {
  name          = "terraform-dev"
  path          = "/team/"
  force_destroy = true
  tags          = { team = "blue" }
}
resource "aws_iam_user_login_profile" "dev" {
  user                    = aws_iam_user.dev.name
  password_length         = 20
  password_reset_required = true
  depends_on              = [aws_iam_account_password_policy.strict]
}
resource "aws_iam_user_ssh_key" "dev" {
  username   = aws_iam_user.dev.name
  encoding   = "PEM"
  public_key = <<-EOT
${pem}
EOT
}
resource "aws_iam_signing_certificate" "dev" {
  user_name        = aws_iam_user.dev.name
  certificate_body = <<-EOT
${body}
EOT
}
resource "aws_iam_server_certificate" "web" {
  name             = "terraform-web"
  path             = "/lb/"
  certificate_body = <<-EOT
${body}
EOT
  private_key      = <<-EOT
${key}
EOT
  tags             = { team = "blue" }
}
resource "aws_iam_access_key" "dev" {
  user = aws_iam_user.dev.name
}
resource "aws_iam_group" "devs" {
  name = "terraform-devs"
}
resource "aws_iam_group_membership" "devs" {
  name  = "devs"
  group = aws_iam_group.devs.name
  users = [aws_iam_user.dev.name]
}
resource "aws_iam_policy" "read" {
  name        = "terraform-read"
  description = "what developers read"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = ["ecr:Get*", "ecr:Describe*"], Resource = "*" }]
  })
}
resource "aws_iam_group_policy_attachment" "devs" {
  group      = aws_iam_group.devs.name
  policy_arn = aws_iam_policy.read.arn
}
resource "aws_iam_role" "task" {
  name = "terraform-task"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Principal = { AWS = "arn:aws:iam::\${data.aws_caller_identity.me.account_id}:root", Service = [] }
    }]
  })
}
resource "aws_iam_instance_profile" "task" {
  name = "terraform-task"
  role = aws_iam_role.task.name
}
resource "aws_iam_openid_connect_provider" "ci" {
  url             = "https://ci.example.com"
  client_id_list  = ["sts.amazonaws.com"]
  thumbprint_list = ["0123456789abcdef0123456789abcdef01234567"]
}
resource "aws_iam_service_linked_role" "scaling" {
  aws_service_name = "ecs.application-autoscaling.amazonaws.com"
}
`;
};

/** The resources of IAM. */
export const identity: Configuration = {
  services: ['iam', 'sts'],
  resources: configuration,
  change: (text) =>
    text
      .replace('max_password_age               = 90', 'max_password_age               = 30')
      .replace('tags          = { team = "blue" }', 'tags          = { team = "red" }')
      .replace('path          = "/team/"', 'path          = "/other/"'),
  changes: 2,
};
