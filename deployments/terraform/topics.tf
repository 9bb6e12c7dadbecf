# Deliverables fan out here: `penstock targets add <this topic's ARN>`; consumers filter by attributes.
resource "aws_sns_topic" "deliverables" {
  name              = "${local.name}-deliverables"
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
