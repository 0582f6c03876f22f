import type { Configuration } from './configuration.ts';

const configuration = `
resource "aws_cloudwatch_dashboard" "web" {
  dashboard_name = "terraform-web"
  dashboard_body = jsonencode({
    widgets = [{ type = "text", x = 0, y = 0, width = 3, height = 3, properties = { markdown = "Hello" } }]
  })
}
`;

/** Dashboards; the provider speaks the Query protocol. */
export const cloudwatch: Configuration = {
  services: ['cloudwatch'],
  resources: () => configuration,
  change: (text) => text.replace('Hello', 'Hello again'),
  changes: 1,
};
