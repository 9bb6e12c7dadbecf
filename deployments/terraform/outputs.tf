output "gateway" {
  description = "Where the gateway is reached; let a name lead there."
  value       = "https://${aws_lb.gateway.dns_name}"
}

output "queues" {
  description = "The queues, by what they hold."
  value       = { for name, queue in aws_sqs_queue.this : name => queue.url }
}

output "deliverables_topic" {
  description = "For `penstock targets add`."
  value       = aws_sns_topic.deliverables.arn
}

output "inbox" {
  description = "Where files of records (events/) and documents (documents/TENANT/) are put."
  value       = aws_s3_bucket.inbox.id
}

output "results" {
  description = "For `penstock targets add s3://...`."
  value       = "s3://${aws_s3_bucket.results.id}"
}

output "attachments_topic" {
  description = "The topic that is told of attachments."
  value       = aws_sns_topic.attachments.arn
}
