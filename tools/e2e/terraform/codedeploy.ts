import { type Configuration, takenBy } from './configuration.ts';

const targetGroup = (name: string): string => `
resource "aws_lb_target_group" "deployed_${name}" {
  name        = "tf-deployed-${name}"
  port        = 8080
  protocol    = "HTTP"
  target_type = "instance"
  vpc_id      = data.aws_vpc.balanced.id
}`;

/** A service that CodeDeploy deploys, on the load balancer of the room before, with all of its application. */
const configuration = `
${targetGroup('blue')}
${targetGroup('green')}
resource "aws_lb_listener" "deployed" {
  load_balancer_arn = aws_lb.web.arn
  port              = 8081
  protocol          = "HTTP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.deployed_blue.arn
  }
}
resource "aws_ecs_service" "deployed" {
  name            = "tf-deployed"
  task_definition = aws_ecs_task_definition.balanced.arn
  desired_count   = 0
  deployment_controller {
    type = "CODE_DEPLOY"
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.deployed_blue.arn
    container_name   = "web"
    container_port   = 8080
  }
  lifecycle {
    ignore_changes = [task_definition, load_balancer]
  }
  depends_on = [aws_lb_listener.deployed]
}
resource "aws_iam_role" "codedeploy" {
  name = "tf-codedeploy"
  assume_role_policy = ${takenBy('codedeploy.amazonaws.com')}
}
resource "aws_iam_role_policy_attachment" "codedeploy" {
  role       = aws_iam_role.codedeploy.name
  policy_arn = "arn:aws:iam::aws:policy/AWSCodeDeployRoleForECS"
}
resource "aws_codedeploy_app" "web" {
  name             = "tf-web"
  compute_platform = "ECS"
  tags             = { team = "blue" }
}
resource "aws_codedeploy_deployment_config" "slow" {
  deployment_config_name = "tf-slow"
  compute_platform       = "ECS"
  traffic_routing_config {
    type = "TimeBasedCanary"
    time_based_canary {
      interval   = 5
      percentage = 20
    }
  }
}
resource "aws_codedeploy_deployment_group" "web" {
  app_name               = aws_codedeploy_app.web.name
  deployment_group_name  = "tf-web"
  service_role_arn       = aws_iam_role.codedeploy.arn
  deployment_config_name = aws_codedeploy_deployment_config.slow.deployment_config_name
  auto_rollback_configuration {
    enabled = true
    events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]
  }
  alarm_configuration {
    enabled = true
    alarms  = ["terraform-busy"]
  }
  blue_green_deployment_config {
    deployment_ready_option {
      action_on_timeout = "CONTINUE_DEPLOYMENT"
    }
    terminate_blue_instances_on_deployment_success {
      action                           = "TERMINATE"
      termination_wait_time_in_minutes = 5
    }
  }
  deployment_style {
    deployment_option = "WITH_TRAFFIC_CONTROL"
    deployment_type   = "BLUE_GREEN"
  }
  ecs_service {
    cluster_name = "default"
    service_name = aws_ecs_service.deployed.name
  }
  load_balancer_info {
    target_group_pair_info {
      prod_traffic_route {
        listener_arns = [aws_lb_listener.deployed.arn]
      }
      target_group {
        name = aws_lb_target_group.deployed_blue.name
      }
      target_group {
        name = aws_lb_target_group.deployed_green.name
      }
    }
  }
}
`;

/** What Terraform makes of CodeDeploy. */
export const codedeploy: Configuration = {
  services: ['codedeploy', 'ecs', 'elbv2', 'iam'],
  resources: () => configuration,
  change: (text) =>
    text
      .replace('termination_wait_time_in_minutes = 5', 'termination_wait_time_in_minutes = 10')
      .replace('alarms  = ["terraform-busy"]', 'alarms  = ["terraform-slow"]')
      .replace('team = "blue"', 'squad = "red"'),
  changes: 2,
};
