import type { Configuration } from './configuration.ts';

const configuration = `
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

/** Everything of a registry. */
export const registry: Configuration = {
  services: ['ecr'],
  resources: () => configuration,
  change: (text) =>
    text
      .replace('image_tag_mutability = "IMMUTABLE"\n  force', 'image_tag_mutability = "MUTABLE"\n  force')
      .replace('team = "blue"', 'team = "red"')
      .replace('as Terraform says', 'as changed'),
  changes: 2,
};
