import { accountMay, type Configuration } from './configuration.ts';

const client =
  '["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite", "elasticfilesystem:PutFileSystemPolicy"]';

const configuration = `
resource "aws_efs_file_system" "shop" {
  creation_token  = "terraform-shop"
  throughput_mode = "elastic"
  tags            = { Name = "shop" }
}
data "aws_subnets" "efs" {
  filter {
    name   = "default-for-az"
    values = ["true"]
  }
}
resource "aws_efs_mount_target" "shop" {
  file_system_id = aws_efs_file_system.shop.id
  subnet_id      = sort(data.aws_subnets.efs.ids)[0]
}
resource "aws_efs_access_point" "web" {
  file_system_id = aws_efs_file_system.shop.id
  posix_user {
    uid = 1000
    gid = 1000
  }
  root_directory {
    path = "/web"
    creation_info {
      owner_uid   = 1000
      owner_gid   = 1000
      permissions = "0755"
    }
  }
  tags = { Name = "web" }
}
resource "aws_efs_file_system_policy" "shop" {
  file_system_id = aws_efs_file_system.shop.id
  policy = ${accountMay(client, 'aws_efs_file_system.shop.arn')}
}
resource "aws_efs_backup_policy" "shop" {
  file_system_id = aws_efs_file_system.shop.id
  backup_policy {
    status = "DISABLED"
  }
}
data "aws_efs_file_system" "shop" {
  file_system_id = aws_efs_file_system.shop.id
}
data "aws_efs_access_point" "web" {
  access_point_id = aws_efs_access_point.web.id
}
data "aws_efs_mount_target" "shop" {
  mount_target_id = aws_efs_mount_target.shop.id
}
`;

/** A file system with a mount target, an access point and policies. */
export const volumes: Configuration = {
  services: ['efs', 'ec2'],
  resources: () => configuration,
  change: (text) =>
    text.replace('= "elastic"', '= "bursting"').replace('{ Name = "web" }', '{ Name = "web", team = "blue" }'),
  changes: 2,
};
