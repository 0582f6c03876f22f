import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Configuration } from './configuration.ts';

/** @param more lines that not every group has */
const targetGroup = (name: string, protocol: string, port: number, type: 'ip' | 'instance', more = ''): string => `
resource "aws_lb_target_group" "${name}" {
  name        = "tf-${name}"
  port        = ${port}
  protocol    = "${protocol}"
  target_type = "${type}"
  vpc_id      = data.aws_vpc.balanced.id
  ${more}
}`;

const forward = (group: string): string => `{
    type             = "forward"
    target_group_arn = aws_lb_target_group.${group}.arn
  }`;

/** One that `selfSigned` has made. */
const certificate = (name: string, more = ''): string => `
resource "aws_acm_certificate" "${name}" {
  certificate_body = file("FOLDER/${name}.pem")
  private_key      = file("FOLDER/${name}-key.pem")
  ${more}
}`;

/** What `terraform-aws-modules/alb` makes of load balancers, a service behind one, and a network and a classic load balancer beside it. */
const configuration = `
data "aws_vpc" "balanced" {
  default = true
}
data "aws_subnets" "balanced" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.balanced.id]
  }
}
resource "aws_security_group" "balancer" {
  name        = "balancer"
  description = "who may call"
  vpc_id      = data.aws_vpc.balanced.id
  ingress {
    from_port   = 80
    to_port     = 80
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
resource "aws_lb" "web" {
  name               = "tf-web"
  load_balancer_type = "application"
  subnets            = slice(data.aws_subnets.balanced.ids, 0, 1)
  security_groups    = [aws_security_group.balancer.id]
  idle_timeout       = 30
  tags               = { team = "blue" }
}
${targetGroup(
  'web',
  'HTTP',
  8080,
  'ip',
  `
  deregistration_delay = 5
  health_check {
    path    = "/up"
    matcher = "200-299"
  }
  stickiness {
    type            = "lb_cookie"
    cookie_duration = 60
  }`,
)}
${targetGroup('green', 'HTTP', 8080, 'ip')}
resource "aws_lb_target_group_attachment" "web" {
  target_group_arn = aws_lb_target_group.web.arn
  target_id        = "10.0.0.1"
  port             = 9000
}
resource "aws_lb_listener" "web" {
  load_balancer_arn = aws_lb.web.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.web.arn
        weight = 90
      }
      target_group {
        arn    = aws_lb_target_group.green.arn
        weight = 10
      }
      stickiness {
        enabled  = true
        duration = 60
      }
    }
  }
}
resource "aws_lb_listener_rule" "secure" {
  listener_arn = aws_lb_listener.web.arn
  priority     = 10
  action {
    type = "redirect"
    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
  condition {
    host_header { values = ["*.example.com"] }
  }
  condition {
    path_pattern { values = ["/account/*"] }
  }
  tags = { team = "blue" }
}
resource "aws_lb_listener_rule" "fixed" {
  listener_arn = aws_lb_listener.web.arn
  priority     = 20
  action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "gone"
      status_code  = "410"
    }
  }
  condition {
    http_header {
      http_header_name = "X-Old"
      values           = ["*"]
    }
  }
  condition {
    query_string {
      key   = "old"
      value = "yes"
    }
  }
  condition {
    source_ip { values = ["10.0.0.0/8"] }
  }
  condition {
    http_request_method { values = ["GET"] }
  }
}
${targetGroup('tasks', 'HTTP', 80, 'instance')}
resource "aws_lb_listener_rule" "tasks" {
  listener_arn = aws_lb_listener.web.arn
  priority     = 30
  action ${forward('tasks')}
  condition {
    path_pattern { values = ["/tasks/*"] }
  }
}
resource "aws_ecs_task_definition" "balanced" {
  family = "tf-balanced"
  container_definitions = jsonencode([{
    name         = "web"
    image        = "busybox"
    memory       = 16
    portMappings = [{ containerPort = 8080 }]
  }])
}
resource "aws_ecs_service" "balanced" {
  name                              = "tf-balanced"
  task_definition                   = aws_ecs_task_definition.balanced.arn
  desired_count                     = 0
  health_check_grace_period_seconds = 30
  load_balancer {
    target_group_arn = aws_lb_target_group.tasks.arn
    container_name   = "web"
    container_port   = 8080
  }
}
resource "aws_lb" "tcp" {
  name               = "tf-tcp"
  load_balancer_type = "network"
  internal           = true
  subnets            = slice(data.aws_subnets.balanced.ids, 0, 1)
}
${targetGroup('tcp', 'TCP', 5432, 'ip', 'preserve_client_ip = false')}
resource "aws_lb_listener" "tcp" {
  load_balancer_arn = aws_lb.tcp.arn
  port              = 5432
  protocol          = "TCP"
  default_action ${forward('tcp')}
}
${certificate('web', 'tags = { team = "blue" }')}
${certificate('api')}
resource "aws_lb_listener" "secure" {
  load_balancer_arn = aws_lb.web.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate.web.arn
  default_action ${forward('green')}
}
resource "aws_lb_listener_certificate" "api" {
  listener_arn    = aws_lb_listener.secure.arn
  certificate_arn = aws_acm_certificate.api.arn
}
resource "aws_lb_listener" "tls" {
  load_balancer_arn = aws_lb.tcp.arn
  port              = 5433
  protocol          = "TLS"
  certificate_arn   = aws_acm_certificate.api.arn
  alpn_policy       = "HTTP2Preferred"
  default_action ${forward('tcp')}
}
resource "aws_elb" "classic" {
  name            = "tf-classic"
  subnets         = slice(data.aws_subnets.balanced.ids, 0, 1)
  security_groups = [aws_security_group.balancer.id]
  idle_timeout    = 40
  listener {
    lb_port            = 443
    lb_protocol        = "https"
    instance_port      = 8080
    instance_protocol  = "http"
    ssl_certificate_id = aws_acm_certificate.web.arn
  }
  listener {
    lb_port           = 5432
    lb_protocol       = "tcp"
    instance_port     = 5434
    instance_protocol = "tcp"
  }
  health_check {
    target              = "HTTP:8080/up"
    interval            = 20
    timeout             = 3
    healthy_threshold   = 3
    unhealthy_threshold = 2
  }
  connection_draining         = true
  connection_draining_timeout = 60
  tags                        = { owner = "old" }
}
data "aws_elb" "classic" {
  name = aws_elb.classic.name
}
data "aws_acm_certificate" "api" {
  domain     = "api.example.com"
  key_types  = ["EC_prime256v1"]
  depends_on = [aws_acm_certificate.api]
}
data "aws_lb" "web" {
  arn = aws_lb.web.arn
}
data "aws_lb_target_group" "web" {
  arn = aws_lb_target_group.web.arn
}
data "aws_lb_listener" "web" {
  arn = aws_lb_listener.web.arn
}
`;

/** A certificate of a name with its key, `web.pem` and `web-key.pem`. */
function selfSigned(folder: string, name: string): void {
  const files = ['-out', join(folder, `${name}.pem`), '-keyout', join(folder, `${name}-key.pem`)];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const names = ['-subj', `/CN=${name}.example.com`, '-addext', `subjectAltName=DNS:${name}.example.com`];
  execFileSync('openssl', ['req', '-x509', '-days', '30', ...key, ...names, ...files], { stdio: 'pipe' });
}

/** The resources of load balancing; their listeners are served, so the machine needs an engine. */
export const balancing: Configuration = {
  services: ['elbv2', 'elb', 'ec2', 'acm', 'ecs'],
  resources: (folder) => {
    for (const name of ['web', 'renewed', 'api']) selfSigned(folder, name);
    return configuration.replaceAll('FOLDER', folder);
  },
  change: (text) =>
    text
      .replace('idle_timeout       = 30', 'idle_timeout       = 45')
      .replace('deregistration_delay = 5', 'deregistration_delay = 10')
      .replace('weight = 90', 'weight = 50')
      .replace('message_body = "gone"', 'message_body = "left"')
      .replace('priority     = 10', 'priority     = 11')
      .replace('grace_period_seconds = 30', 'grace_period_seconds = 60')
      .replace('/web.pem', '/renewed.pem')
      .replace('/web-key.pem', '/renewed-key.pem')
      .replace('TLS13-1-2-2021-06', 'TLS13-1-3-2021-06')
      .replace('HTTP2Preferred', 'HTTP1Only')
      .replace('idle_timeout    = 40', 'idle_timeout    = 50')
      .replace('instance_port     = 5434', 'instance_port     = 5435')
      .replace('interval            = 20', 'interval            = 10')
      .replace('owner = "old"', 'holder = "new"'),
  changes: 10,
};
