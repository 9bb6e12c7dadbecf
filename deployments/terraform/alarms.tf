locals {
  alarms = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each            = local.queues
  alarm_name          = "${local.name}-${each.key}-dead-letters"
  alarm_description   = "A message of ${each.key} could not be taken in: docs/runbook.md, Dead letters of a queue."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead[each.key].name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarms
  ok_actions          = local.alarms
}

resource "aws_cloudwatch_metric_alarm" "oldest_message" {
  for_each            = local.queues
  alarm_name          = "${local.name}-${each.key}-oldest-message"
  alarm_description   = "Messages of ${each.key} wait: docs/runbook.md, Messages wait."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.this[each.key].name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.oldest_message_seconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarms
  ok_actions          = local.alarms
}

resource "aws_cloudwatch_metric_alarm" "gateway_p99" {
  alarm_name          = "${local.name}-gateway-p99"
  alarm_description   = "One in a hundred answers of the gateway is too slow: docs/runbook.md, The gateway is slow."
  namespace           = "AWS/ApplicationELB"
  metric_name         = "TargetResponseTime"
  dimensions          = { LoadBalancer = aws_lb.gateway.arn_suffix }
  extended_statistic  = "p99"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.p99_seconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarms
  ok_actions          = local.alarms
}

resource "aws_cloudwatch_metric_alarm" "gateway_errors" {
  alarm_name          = "${local.name}-gateway-errors"
  alarm_description   = "More than one answer of the gateway in a hundred is an error: docs/runbook.md, Errors."
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarms
  ok_actions          = local.alarms

  metric_query {
    id          = "share"
    expression  = "100 * (errors + balancer) / MAX([requests, 1])"
    label       = "Errors in a hundred"
    return_data = true
  }
  metric_query {
    id = "errors"
    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "HTTPCode_Target_5XX_Count"
      dimensions  = { LoadBalancer = aws_lb.gateway.arn_suffix }
      stat        = "Sum"
      period      = 60
    }
  }
  # What the balancer answers itself: nobody was well, or a connection broke.
  metric_query {
    id = "balancer"
    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "HTTPCode_ELB_5XX_Count"
      dimensions  = { LoadBalancer = aws_lb.gateway.arn_suffix }
      stat        = "Sum"
      period      = 60
    }
  }
  metric_query {
    id = "requests"
    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "RequestCount"
      dimensions  = { LoadBalancer = aws_lb.gateway.arn_suffix }
      stat        = "Sum"
      period      = 60
    }
  }
}
