import type { Configuration } from './configuration.ts';

/**
 * Fargate by capacity providers: a cluster that has them, and a service with a strategy of its own, one by default, and none; and a service
 * that an external controller deploys, with a task set. And hosts of a group: their capacity provider, a cluster and a service with it.
 */
const configuration = `
data "aws_vpc" "containers" {
  default = true
}
data "aws_subnets" "containers" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.containers.id]
  }
}
resource "aws_ecs_cluster" "fargate" {
  name = "fargate"
}
resource "aws_ecs_cluster_capacity_providers" "fargate" {
  cluster_name       = aws_ecs_cluster.fargate.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = 1
    weight            = 100
  }
}
resource "aws_ecs_task_definition" "fargate" {
  family                   = "fargate"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  container_definitions = jsonencode([{
    name         = "web"
    image        = "docker.io/library/nginx:1.29"
    essential    = true
    portMappings = [{ containerPort = 80, protocol = "tcp" }]
  }])
}
resource "aws_ecs_service" "shared" {
  name                 = "shared"
  cluster              = aws_ecs_cluster.fargate.id
  task_definition      = aws_ecs_task_definition.fargate.arn
  desired_count        = 0
  force_new_deployment = true
  platform_version     = "LATEST"
  capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = 1
    weight            = 1
  }
  capacity_provider_strategy {
    capacity_provider = "FARGATE_SPOT"
    weight            = 4
  }
  network_configuration {
    subnets = data.aws_subnets.containers.ids
  }
  depends_on = [aws_ecs_cluster_capacity_providers.fargate]
}
resource "aws_ecs_capacity_provider" "own" {
  name = "own"
  auto_scaling_group_provider {
    auto_scaling_group_arn = "arn:aws:autoscaling:us-east-1:\${data.aws_caller_identity.me.account_id}:autoScalingGroup:5e1a2b3c-0000-4000-8000-000000000000:autoScalingGroupName/own-hosts"
    managed_scaling {
      target_capacity = 90
    }
  }
  tags = { stage = "test" }
}
resource "aws_ecs_cluster" "hosts" {
  name = "hosts"
}
resource "aws_ecs_cluster_capacity_providers" "hosts" {
  cluster_name       = aws_ecs_cluster.hosts.name
  capacity_providers = [aws_ecs_capacity_provider.own.name]
  default_capacity_provider_strategy {
    capacity_provider = aws_ecs_capacity_provider.own.name
    weight            = 1
  }
}
resource "aws_ecs_task_definition" "hosts" {
  family                = "hosts"
  container_definitions = jsonencode([{ name = "web", image = "docker.io/library/nginx:1.29", memory = 64 }])
}
resource "aws_ecs_service" "hosts" {
  name            = "hosts"
  cluster         = aws_ecs_cluster.hosts.id
  task_definition = aws_ecs_task_definition.hosts.arn
  desired_count   = 0
  capacity_provider_strategy {
    capacity_provider = aws_ecs_capacity_provider.own.name
    weight            = 1
  }
  depends_on = [aws_ecs_cluster_capacity_providers.hosts]
}
resource "aws_ecs_service" "plain" {
  name            = "plain"
  cluster         = aws_ecs_cluster.fargate.id
  task_definition = aws_ecs_task_definition.fargate.arn
  desired_count   = 0
  launch_type     = "FARGATE"
  network_configuration {
    subnets = data.aws_subnets.containers.ids
  }
}
resource "aws_ecs_service" "external" {
  name          = "external"
  cluster       = aws_ecs_cluster.fargate.id
  desired_count = 0
  deployment_controller {
    type = "EXTERNAL"
  }
}
resource "aws_ecs_task_set" "external" {
  service         = aws_ecs_service.external.id
  cluster         = aws_ecs_cluster.fargate.id
  task_definition = aws_ecs_task_definition.fargate.arn
  launch_type     = "FARGATE"
  external_id     = "release-1"
  force_delete    = true
  network_configuration {
    subnets = data.aws_subnets.containers.ids
  }
  scale {
    value = 50
  }
}
`;

export const containers: Configuration = {
  services: ['ecs', 'ec2'],
  resources: () => configuration,
  change: (text) =>
    text
      .replace('weight            = 100', 'weight            = 50')
      .replaceAll('= 4', '= 3')
      .replace('target_capacity = 90', 'target_capacity = 80')
      .replace('value = 50', 'value = 25'),
  changes: 4,
};
