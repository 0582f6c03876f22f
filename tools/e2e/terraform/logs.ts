import type { Configuration } from './configuration.ts';

const configuration = `
resource "aws_cloudwatch_log_group" "web" {
  name              = "/terraform/web"
  retention_in_days = 14
  tags = { team = "blue" }
}
resource "aws_cloudwatch_log_group" "kept" {
  name_prefix = "terraform-kept-"
}
resource "aws_cloudwatch_log_stream" "web" {
  name           = "web/app/1"
  log_group_name = aws_cloudwatch_log_group.web.name
}
resource "aws_cloudwatch_log_metric_filter" "errors" {
  name           = "errors"
  log_group_name = aws_cloudwatch_log_group.web.name
  pattern        = "{ $.level = \\"error\\" }"
  metric_transformation {
    name       = "Errors"
    namespace  = "Web"
    value      = "$.count"
    unit       = "Count"
    dimensions = { Path = "$.path" }
  }
}
resource "aws_cloudwatch_log_metric_filter" "lines" {
  name           = "lines"
  log_group_name = aws_cloudwatch_log_group.web.name
  pattern        = ""
  metric_transformation {
    name          = "Lines"
    namespace     = "Web"
    value         = "1"
    default_value = "0"
  }
}
data "aws_cloudwatch_log_group" "web" {
  name = aws_cloudwatch_log_group.web.name
}
data "aws_cloudwatch_log_groups" "all" {
  log_group_name_prefix = aws_cloudwatch_log_group.web.name
}
`;

/** Log groups and streams. */
export const logs: Configuration = {
  services: ['logs'],
  resources: () => configuration,
  change: (text) =>
    text.replace('retention_in_days = 14', 'retention_in_days = 30').replace('team = "blue"', 'squad = "red"'),
  changes: 1,
};

/** A subscription filter; its receiver is asked for an answer when it is made. @param url of the receiver */
export const subscription = (url: string): string => `
resource "aws_cloudwatch_log_subscription_filter" "search" {
  name            = "to-search"
  log_group_name  = aws_cloudwatch_log_group.web.name
  filter_pattern  = "ERROR"
  destination_arn = "arn:aws:slipway:us-east-1:000000000000:webhook/${url}"
}
`;
