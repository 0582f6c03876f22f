import { accountMay, type Configuration } from './configuration.ts';

const configuration = `
resource "aws_secretsmanager_secret" "db" {
  name                    = "terraform/db"
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

/** Secrets with values and policies, and parameters of every type. */
export const settings: Configuration = {
  services: ['secretsmanager', 'ssm'],
  resources: () => configuration,
  change: (text) =>
    text
      .replace('"the database"', '"another database"')
      .replace('value       = "fast"', 'value       = "slow"')
      .replace('value = "a,b"', 'value = "a,b,c"'),
  changes: 3,
};
