import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Configuration } from './configuration.ts';

/** What `terraform-aws-modules/alb` makes of load balancers, a service behind one, and a network load balancer beside it. */
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
resource "aws_lb_target_group" "web" {
  name                 = "tf-web"
  port                 = 8080
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = data.aws_vpc.balanced.id
  deregistration_delay = 5
  health_check {
    path    = "/up"
    matcher = "200-299"
  }
  stickiness {
    type            = "lb_cookie"
    cookie_duration = 60
  }
}
resource "aws_lb_target_group" "green" {
  name        = "tf-green"
  port        = 8080
  protocol    = "HTTP"
  target_type = "ip"
  vpc_id      = data.aws_vpc.balanced.id
}
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
resource "aws_lb_target_group" "tasks" {
  name        = "tf-tasks"
  port        = 80
  protocol    = "HTTP"
  target_type = "instance"
  vpc_id      = data.aws_vpc.balanced.id
}
resource "aws_lb_listener_rule" "tasks" {
  listener_arn = aws_lb_listener.web.arn
  priority     = 30
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.tasks.arn
  }
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
resource "aws_lb_target_group" "tcp" {
  name               = "tf-tcp"
  port               = 5432
  protocol           = "TCP"
  target_type        = "ip"
  vpc_id             = data.aws_vpc.balanced.id
  preserve_client_ip = false
}
resource "aws_lb_listener" "tcp" {
  load_balancer_arn = aws_lb.tcp.arn
  port              = 5432
  protocol          = "TCP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.tcp.arn
  }
}
resource "aws_acm_certificate" "web" {
  certificate_body = file("FOLDER/web.pem")
  private_key      = file("FOLDER/web-key.pem")
  tags             = { team = "blue" }
}
resource "aws_acm_certificate" "api" {
  certificate_body = file("FOLDER/api.pem")
  private_key      = file("FOLDER/api-key.pem")
}
resource "aws_lb_listener" "secure" {
  load_balancer_arn = aws_lb.web.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate.web.arn
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.green.arn
  }
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
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.tcp.arn
  }
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
  services: ['elbv2', 'ec2', 'acm', 'ecs'],
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
      .replace('HTTP2Preferred', 'HTTP1Only'),
  changes: 9,
};
