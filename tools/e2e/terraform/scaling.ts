import type { Configuration } from './configuration.ts';

const configuration = `
resource "aws_ecs_task_definition" "scaled" {
  family = "terraform-scaled"
  container_definitions = jsonencode([{ name = "app", image = "busybox", memory = 32 }])
}
resource "aws_ecs_cluster" "scaled" {
  name = "terraform-scaled"
}
resource "aws_ecs_service" "scaled" {
  name            = "scaled"
  cluster         = aws_ecs_cluster.scaled.id
  task_definition = aws_ecs_task_definition.scaled.arn
  desired_count   = 0
  lifecycle { ignore_changes = [desired_count] }
}
resource "aws_appautoscaling_target" "scaled" {
  service_namespace  = "ecs"
  resource_id        = "service/\${aws_ecs_cluster.scaled.name}/\${aws_ecs_service.scaled.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = 0
  max_capacity       = 10
  tags = { team = "blue" }
}
resource "aws_appautoscaling_scheduled_action" "morning" {
  name               = "morning"
  service_namespace  = aws_appautoscaling_target.scaled.service_namespace
  resource_id        = aws_appautoscaling_target.scaled.resource_id
  scalable_dimension = aws_appautoscaling_target.scaled.scalable_dimension
  schedule           = "cron(0 8 ? * MON-FRI *)"
  timezone           = "Europe/Berlin"
  scalable_target_action {
    min_capacity = 0
    max_capacity = 8
  }
}
resource "aws_appautoscaling_policy" "cpu" {
  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.scaled.service_namespace
  resource_id        = aws_appautoscaling_target.scaled.resource_id
  scalable_dimension = aws_appautoscaling_target.scaled.scalable_dimension
  target_tracking_scaling_policy_configuration {
    target_value       = 75
    scale_in_cooldown  = 120
    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}
resource "aws_appautoscaling_policy" "backlog" {
  name               = "backlog"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.scaled.service_namespace
  resource_id        = aws_appautoscaling_target.scaled.resource_id
  scalable_dimension = aws_appautoscaling_target.scaled.scalable_dimension
  target_tracking_scaling_policy_configuration {
    target_value = 100
    customized_metric_specification {
      metrics {
        id          = "waiting"
        return_data = false
        metric_stat {
          stat = "Sum"
          metric {
            namespace   = "Shop"
            metric_name = "Waiting"
          }
        }
      }
      metrics {
        id         = "each"
        label      = "waiting for each worker"
        expression = "waiting / 4"
      }
    }
  }
}
resource "aws_appautoscaling_policy" "steps" {
  name               = "steps"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.scaled.service_namespace
  resource_id        = aws_appautoscaling_target.scaled.resource_id
  scalable_dimension = aws_appautoscaling_target.scaled.scalable_dimension
  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    cooldown                = 60
    metric_aggregation_type = "Average"
    step_adjustment {
      metric_interval_lower_bound = 0
      scaling_adjustment          = 1
    }
  }
}
`;

/** Services that follow metrics and schedules. */
export const scaling: Configuration = {
  services: ['applicationautoscaling'],
  resources: () => configuration,
  change: (text) =>
    text
      .replace('max_capacity       = 10', 'max_capacity       = 12')
      .replace('MON-FRI', 'MON-SAT')
      .replace('target_value       = 75', 'target_value       = 60'),
  changes: 3,
};
