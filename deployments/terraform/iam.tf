# Each part may do what it does, and nothing else.
data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "execution" {
  name               = "${local.name}-execution"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role_policy" "execution" {
  name   = "secrets"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

data "aws_iam_policy_document" "execution" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = values(local.secrets)
  }
  statement {
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.this.arn]
  }
}

resource "aws_iam_role" "part" {
  for_each           = local.parts
  name               = "${local.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "worker" {
  name   = "penstock"
  role   = aws_iam_role.part["worker"].id
  policy = data.aws_iam_policy_document.worker.json
}

# Runs flows: queues when a run takes them in, deliverables out.
data "aws_iam_policy_document" "worker" {
  statement {
    sid       = "Queues"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
    resources = [for queue in aws_sqs_queue.this : queue.arn]
  }
  statement {
    sid       = "Inbox"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${aws_s3_bucket.inbox.arn}/*"]
  }
  # Who may not list is told 403 of what is not there, and tries again for nothing.
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.inbox.arn]
  }
  statement {
    sid       = "Results"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.results.arn}/*"]
  }
  statement {
    sid       = "Deliverables"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.deliverables.arn]
  }
  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.this.arn]
  }
}

resource "aws_iam_role_policy" "gateway" {
  name   = "penstock"
  role   = aws_iam_role.part["gateway"].id
  policy = data.aws_iam_policy_document.gateway.json
}

# Reads the documents that tasks refer to.
data "aws_iam_policy_document" "gateway" {
  statement {
    sid       = "Documents"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.inbox.arn}/documents/*"]
  }
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.inbox.arn]
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["documents/*"]
    }
  }
  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.this.arn]
  }
}

resource "aws_iam_role_policy" "consumer" {
  name   = "penstock"
  role   = aws_iam_role.part["consumer"].id
  policy = data.aws_iam_policy_document.consumer.json
}

# Takes in one queue and what its messages refer to.
data "aws_iam_policy_document" "consumer" {
  statement {
    sid       = "Queue"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
    resources = [aws_sqs_queue.this["events"].arn]
  }
  statement {
    sid       = "Inbox"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${aws_s3_bucket.inbox.arn}/events/*"]
  }
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.inbox.arn]
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["events/*"]
    }
  }
  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.this.arn]
  }
}

resource "aws_iam_role_policy" "attachments" {
  name   = "penstock"
  role   = aws_iam_role.part["attachments"].id
  policy = data.aws_iam_policy_document.attachments.json
}

# Takes in the files of one queue, and tells of them. What belongs to somebody who was erased it removes again.
data "aws_iam_policy_document" "attachments" {
  statement {
    sid       = "Queue"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
    resources = [aws_sqs_queue.this["attachments"].arn]
  }
  statement {
    sid       = "Files"
    actions   = ["s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObjectVersion"]
    resources = ["${aws_s3_bucket.inbox.arn}/attachments/*"]
  }
  statement {
    sid       = "Made"
    actions   = ["s3:PutObject", "s3:DeleteObjectVersion"]
    resources = ["${aws_s3_bucket.results.arn}/made/*"]
  }
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket", "s3:ListBucketVersions"]
    resources = [aws_s3_bucket.inbox.arn, aws_s3_bucket.results.arn]
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["attachments/*", "made/*"]
    }
  }
  statement {
    sid       = "Told"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.attachments.arn]
  }
  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.this.arn]
  }
}
