# What is sent to EventBridge with one of these sources lies in the queue of events a moment later.
resource "aws_cloudwatch_event_rule" "events" {
  name          = "${local.name}-events"
  description   = "Events for Penstock."
  event_pattern = jsonencode({ source = var.event_sources })
}

resource "aws_cloudwatch_event_target" "events" {
  rule = aws_cloudwatch_event_rule.events.name
  arn  = aws_sqs_queue.this["events"].arn
  dead_letter_config {
    arn = aws_sqs_queue.dead["events"].arn
  }
}

# New objects: files of records go to the events, what belongs to tickets to the attachments.
resource "aws_cloudwatch_event_rule" "objects" {
  for_each    = local.queues
  name        = "${local.name}-objects-${each.key}"
  description = "New objects below ${each.key}/."
  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail = {
      bucket = { name = [aws_s3_bucket.inbox.id] }
      object = { key = [{ prefix = "${each.key}/" }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "objects" {
  for_each = local.queues
  rule     = aws_cloudwatch_event_rule.objects[each.key].name
  arn      = aws_sqs_queue.this[each.key].arn
  dead_letter_config {
    arn = aws_sqs_queue.dead[each.key].arn
  }
}
