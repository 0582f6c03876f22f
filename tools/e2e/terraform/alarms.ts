import type { Configuration } from './configuration.ts';

const configuration = `
resource "aws_cloudwatch_metric_alarm" "busy" {
  alarm_name          = "terraform-busy"
  alarm_description   = "too much to do"
  namespace           = "AWS/ECS"
  metric_name         = "CPUUtilization"
  dimensions          = { ClusterName = "default", ServiceName = "web" }
  statistic           = "Average"
  period              = 60
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold           = 80
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = ["arn:aws:slipway:us-east-1:000000000000:webhook/https://hooks.example.com/busy"]
  tags                = { team = "blue" }
}
resource "aws_cloudwatch_metric_alarm" "slow" {
  alarm_name          = "terraform-slow"
  extended_statistic  = "p99"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "TargetResponseTime"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0.5
  comparison_operator = "GreaterThanOrEqualToThreshold"
}
resource "aws_cloudwatch_composite_alarm" "bad" {
  alarm_name  = "terraform-bad"
  alarm_rule  = "ALARM(\${aws_cloudwatch_metric_alarm.busy.alarm_name}) AND ALARM(\${aws_cloudwatch_metric_alarm.slow.alarm_name})"
  ok_actions  = ["arn:aws:slipway:us-east-1:000000000000:webhook/https://hooks.example.com/bad"]
  tags        = { team = "blue" }
}
`;

/** Alarms over metrics and over each other. */
export const alarms: Configuration = {
  services: ['cloudwatch'],
  resources: () => configuration,
  change: (text) =>
    text
      .replace('threshold           = 80', 'threshold           = 90')
      .replace(
        '{ team = "blue" }\n}\nresource "aws_cloudwatch_metric_alarm" "slow"',
        '{ team = "red" }\n}\nresource "aws_cloudwatch_metric_alarm" "slow"',
      ),
  changes: 1,
};
