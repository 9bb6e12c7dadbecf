locals {
  # What each part runs, and what it may do is in iam.tf under the same name.
  parts = {
    worker = {
      command = ["prefect", "worker", "start", "--pool", "penstock", "--type", "warm"]
      count   = var.workers
      cpu     = 2048
      memory  = 4096
      ports   = [8081]
    }
    gateway = {
      command = ["penstock", "serve", "--host", "0.0.0.0", "--port", "8080"]
      count   = var.gateways
      cpu     = 1024
      memory  = 2048
      ports   = [8080]
    }
    consumer = {
      command = ["penstock", "consume", aws_sqs_queue.this["events"].url]
      count   = var.consumers
      cpu     = 1024
      memory  = 2048
      ports   = []
    }
    # Each of its processes may take 2 GiB for a while, and there is one for each core.
    attachments = {
      command = ["penstock", "attachments", "take", aws_sqs_queue.this["attachments"].url]
      count   = var.attachment_workers
      cpu     = 2048
      memory  = 6144
      ports   = []
    }
  }
  settings = {
    PREFECT_API_URL        = var.prefect_api_url
    PENSTOCK_LOGS          = "json"
    PENSTOCK_DOCUMENTS     = "s3://${aws_s3_bucket.inbox.id}/documents/{tenant}/"
    PENSTOCK_ATTACHMENTS_TO = "s3://${aws_s3_bucket.results.id}/made"
    PENSTOCK_ATTACHMENTS_TOPIC = aws_sns_topic.attachments.arn
    PENSTOCK_HEALTH_PORT   = "8081"
    PENSTOCK_HEALTH_ADDRESS = "0.0.0.0"
    AWS_DEFAULT_REGION     = var.region
  }
  secrets = {
    PENSTOCK_DATABASE_URL = aws_secretsmanager_secret.ledger.arn
    ANTHROPIC_API_KEY     = var.model_key_secret_arn
  }
}

resource "aws_ecs_cluster" "this" {
  name = local.name
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each          = local.parts
  name              = "/${local.name}/${each.key}"
  retention_in_days = 30
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_ecs_task_definition" "this" {
  for_each                 = local.parts
  family                   = "${local.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.part[each.key].arn
  container_definitions = jsonencode([{
    name         = each.key
    image        = var.image
    essential    = true
    command      = each.value.command
    stopTimeout  = 120
    portMappings = [for port in each.value.ports : { containerPort = port, protocol = "tcp" }]
    environment  = [for name, value in local.settings : { name = name, value = value }]
    secrets      = [for name, arn in local.secrets : { name = name, valueFrom = arn }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this[each.key].name
        awslogs-region        = var.region
        awslogs-stream-prefix = each.key
      }
    }
  }])
}

resource "aws_ecs_service" "this" {
  for_each                           = local.parts
  name                               = each.key
  cluster                            = aws_ecs_cluster.this.id
  task_definition                    = aws_ecs_task_definition.this[each.key].arn
  desired_count                      = each.value.count
  launch_type                        = "FARGATE"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets         = var.private_subnets
    security_groups = [aws_security_group.services.id]
  }
  dynamic "load_balancer" {
    for_each = each.key == "gateway" ? [aws_lb_target_group.gateway.arn] : []
    content {
      target_group_arn = load_balancer.value
      container_name   = each.key
      container_port   = 8080
    }
  }
  # A target group that no listener has yet takes no service.
  depends_on = [aws_lb_listener.gateway]
}

resource "aws_security_group" "services" {
  name        = "${local.name}-services"
  description = "Workers, gateways and consumers."
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "services" {
  security_group_id = aws_security_group.services.id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "gateway" {
  security_group_id            = aws_security_group.services.id
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
}

resource "aws_security_group" "balancer" {
  name        = "${local.name}-balancer"
  description = "The gateway's load balancer."
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "balancer" {
  security_group_id = aws_security_group.balancer.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  security_group_id            = aws_security_group.balancer.id
  referenced_security_group_id = aws_security_group.services.id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
}

resource "aws_lb" "gateway" {
  name                       = "${local.name}-gateway"
  load_balancer_type         = "application"
  subnets                    = var.public_subnets
  security_groups            = [aws_security_group.balancer.id]
  drop_invalid_header_fields = true
  # A WebSocket that hears nothing is pinged every 20 s.
  idle_timeout = 120
}

resource "aws_lb_target_group" "gateway" {
  name                 = "${local.name}-gateway"
  port                 = 8080
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = var.vpc_id
  deregistration_delay = 30
  health_check {
    path    = "/readyz"
    matcher = "200"
  }
}

resource "aws_lb_listener" "gateway" {
  load_balancer_arn = aws_lb.gateway.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.gateway.arn
  }
}
