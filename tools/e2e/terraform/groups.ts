import { type Configuration, takenBy } from './configuration.ts';

const configuration = `
resource "aws_iam_role" "machine" {
  name = "terraform-machine"
  assume_role_policy = ${takenBy('ec2.amazonaws.com')}
}
resource "aws_iam_instance_profile" "machine" {
  name = "terraform-machine"
  role = aws_iam_role.machine.name
}
resource "aws_launch_template" "machine" {
  name_prefix            = "terraform-machine-"
  image_id               = "ami-0123456789abcdef0"
  instance_type          = "m5.large"
  update_default_version = true
  user_data              = base64encode("#!/bin/bash\\necho ECS_CLUSTER=terraform >> /etc/ecs/ecs.config\\n")
  iam_instance_profile { arn = aws_iam_instance_profile.machine.arn }
  monitoring { enabled = true }
  metadata_options { http_tokens = "required" }
  block_device_mappings {
    device_name = "/dev/xvda"
    ebs { volume_size = 30 }
  }
  tag_specifications {
    resource_type = "instance"
    tags          = { team = "blue" }
  }
}
resource "aws_autoscaling_group" "machines" {
  name                  = "terraform-machines"
  min_size              = 0
  max_size              = 2
  desired_capacity      = 0
  availability_zones    = ["us-east-1a"]
  protect_from_scale_in = true
  termination_policies  = ["OldestInstance"]
  launch_template {
    id      = aws_launch_template.machine.id
    version = "$Latest"
  }
  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = 50
      auto_rollback          = true
      skip_matching          = true
    }
  }
  warm_pool {
    pool_state                  = "Running"
    min_size                    = 0
    max_group_prepared_capacity = 0
    instance_reuse_policy { reuse_on_scale_in = true }
  }
  tag {
    key                 = "AmazonECSManaged"
    value               = true
    propagate_at_launch = true
  }
  initial_lifecycle_hook {
    name                 = "greet"
    lifecycle_transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
    default_result       = "CONTINUE"
  }
}
resource "aws_autoscaling_lifecycle_hook" "goodbye" {
  name                    = "goodbye"
  autoscaling_group_name  = aws_autoscaling_group.machines.name
  lifecycle_transition    = "autoscaling:EC2_INSTANCE_TERMINATING"
  default_result          = "CONTINUE"
  heartbeat_timeout       = 300
  notification_metadata   = "from terraform"
  notification_target_arn = "arn:aws:slipway:us-east-1:000000000000:webhook/https://example.com/goodbye"
  role_arn                = aws_iam_role.machine.arn
}
resource "aws_autoscaling_schedule" "night" {
  scheduled_action_name  = "night"
  autoscaling_group_name = aws_autoscaling_group.machines.name
  # Never while this is applied: what a schedule has done is another plan.
  recurrence             = "0 22 29 2 *"
  time_zone              = "Europe/Berlin"
  min_size               = 0
  max_size               = 1
  desired_capacity       = 0
}
resource "aws_autoscaling_policy" "cpu" {
  name                      = "cpu"
  autoscaling_group_name    = aws_autoscaling_group.machines.name
  policy_type               = "TargetTrackingScaling"
  estimated_instance_warmup = 120
  target_tracking_configuration {
    predefined_metric_specification { predefined_metric_type = "ASGAverageCPUUtilization" }
    target_value = 60
  }
}
resource "aws_autoscaling_policy" "steps" {
  name                   = "steps"
  autoscaling_group_name = aws_autoscaling_group.machines.name
  policy_type            = "StepScaling"
  adjustment_type        = "ChangeInCapacity"
  step_adjustment {
    scaling_adjustment          = 1
    metric_interval_lower_bound = 0
    metric_interval_upper_bound = 10
  }
  step_adjustment {
    scaling_adjustment          = 2
    metric_interval_lower_bound = 10
  }
}
resource "aws_autoscaling_policy" "more" {
  name                   = "more"
  autoscaling_group_name = aws_autoscaling_group.machines.name
  adjustment_type        = "ChangeInCapacity"
  scaling_adjustment     = 1
  cooldown               = 120
}
resource "aws_cloudwatch_metric_alarm" "machines_busy" {
  alarm_name          = "machines-busy"
  namespace           = "AWS/EC2"
  metric_name         = "CPUUtilization"
  dimensions          = { AutoScalingGroupName = aws_autoscaling_group.machines.name }
  statistic           = "Average"
  period              = 60
  evaluation_periods  = 2
  threshold           = 80
  comparison_operator = "GreaterThanThreshold"
  alarm_actions       = [aws_autoscaling_policy.steps.arn]
}
`;

/** Launch templates and Auto Scaling groups; machines of theirs are made in a test of their own. */
export const groups: Configuration = {
  services: ['autoscaling', 'cloudwatch', 'ec2', 'iam'],
  resources: () => configuration,
  change: (text) =>
    text
      .replace('instance_type          = "m5.large"', 'instance_type          = "m5.xlarge"')
      .replace('max_size              = 2', 'max_size              = 5')
      .replace('reuse_on_scale_in = true', 'reuse_on_scale_in = false')
      .replace('target_value = 60', 'target_value = 70')
      .replace('scaling_adjustment          = 2', 'scaling_adjustment          = 3')
      .replace('cooldown               = 120', 'cooldown               = 180')
      .replace('recurrence             = "0 22', 'recurrence             = "0 23')
      .replace('heartbeat_timeout       = 300', 'heartbeat_timeout       = 600'),
  changes: 7,
};
