# Deliverables fan out here: `penstock targets add <this topic's ARN>`; consumers filter by attributes.
resource "aws_sns_topic" "deliverables" {
  name              = "${local.name}-deliverables"
  kms_master_key_id = aws_kms_key.this.arn
}

# Told of every file that was kept, with its type, tenant and event as attributes.
resource "aws_sns_topic" "attachments" {
  name              = "${local.name}-attachments"
  kms_master_key_id = aws_kms_key.this.arn
}

resource "aws_sns_topic" "alarms" {
  name              = "${local.name}-alarms"
  kms_master_key_id = aws_kms_key.this.arn
}

resource "aws_sns_topic_subscription" "alarms" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}
