import { accountMay, type Configuration } from './configuration.ts';

const configuration = `
resource "aws_kms_key" "app" {
  description             = "what the app keeps"
  deletion_window_in_days = 7
  enable_key_rotation     = true
  rotation_period_in_days = 180
  policy                  = ${accountMay('"kms:*"', '"*"')}
  tags                    = { team = "blue" }
}
resource "aws_kms_alias" "app" {
  name          = "alias/terraform/app"
  target_key_id = aws_kms_key.app.key_id
}
data "aws_kms_alias" "own" {
  name = "alias/aws/secretsmanager"
}
data "aws_kms_key" "app" {
  key_id = aws_kms_alias.app.name
}
resource "aws_kms_ciphertext" "token" {
  key_id    = aws_kms_key.app.key_id
  plaintext = "token"
  context   = { app = "web" }
}
resource "aws_secretsmanager_secret" "db" {
  name                    = "terraform/db"
  kms_key_id              = aws_kms_key.app.arn
  description             = "the database"
  recovery_window_in_days = 0
  tags                    = { team = "blue" }
}
resource "aws_secretsmanager_secret_version" "db" {
  secret_id     = aws_secretsmanager_secret.db.id
  secret_string = jsonencode({ username = "ada", password = "first" })
}
resource "aws_secretsmanager_secret_policy" "db" {
  secret_arn = aws_secretsmanager_secret.db.arn
  policy = ${accountMay('"secretsmanager:GetSecretValue"', '"*"')}
}
resource "aws_secretsmanager_secret_rotation" "db" {
  secret_id           = aws_secretsmanager_secret.db.id
  rotation_lambda_arn = "arn:aws:slipway:us-east-1:000000000000:webhook/https://rotate.example.com/terraform"
  rotate_immediately  = false
  rotation_rules {
    schedule_expression = "cron(0 4 ? * SUN *)"
    duration            = "3h"
  }
  depends_on = [aws_secretsmanager_secret_version.db]
}
resource "aws_ssm_parameter" "mode" {
  name        = "/terraform/web/mode"
  description = "how fast"
  type        = "String"
  value       = "fast"
  tags        = { team = "blue" }
}
resource "aws_ssm_parameter" "key" {
  name  = "/terraform/web/key"
  type  = "SecureString"
  value = "secret"
  key_id = aws_kms_alias.app.name
}
resource "aws_ssm_parameter" "hosts" {
  name  = "terraform-hosts"
  type  = "StringList"
  value = "a,b"
}
data "aws_secretsmanager_secret_version" "db" {
  secret_id  = aws_secretsmanager_secret.db.id
  depends_on = [aws_secretsmanager_secret_version.db]
}
data "aws_ssm_parameter" "mode" {
  name = aws_ssm_parameter.mode.name
}
`;

/** Keys with aliases and policies, secrets with values and policies, and parameters of every type. */
export const settings: Configuration = {
  services: ['kms', 'secretsmanager', 'ssm'],
  resources: () => configuration,
  change: (text) =>
    text
      .replace('"what the app keeps"', '"what the app hides"')
      .replace('SUN', 'MON')
      .replace('"the database"', '"another database"')
      .replace('value       = "fast"', 'value       = "slow"')
      .replace('value = "a,b"', 'value = "a,b,c"'),
  changes: 5,
};
