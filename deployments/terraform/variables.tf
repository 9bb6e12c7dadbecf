variable "region" {
  description = "Where all of it is."
  type        = string
}

variable "environment" {
  description = "Which of several installations this is; a part of every name."
  type        = string
  default     = "production"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.environment))
    error_message = "Give 2 to 20 lower-case letters, digits and hyphens."
  }
}

variable "vpc_id" {
  description = "The network that services and database are in."
  type        = string
}

variable "private_subnets" {
  description = "Subnets of services and database, in two zones at least."
  type        = list(string)
}

variable "public_subnets" {
  description = "Subnets of the gateway's load balancer."
  type        = list(string)
}

variable "certificate_arn" {
  description = "The certificate under which the gateway is called."
  type        = string
}

variable "image" {
  description = "Penstock's image, with a tag that never changes."
  type        = string
}

variable "prefect_api_url" {
  description = "The Prefect server that the workers and the deployments belong to."
  type        = string
}

variable "model_key_secret_arn" {
  description = "The secret in Secrets Manager that holds ANTHROPIC_API_KEY."
  type        = string
}

variable "workers" {
  description = "How many warm workers run."
  type        = number
  default     = 2
}

variable "gateways" {
  description = "How many gateways run."
  type        = number
  default     = 2
}

variable "consumers" {
  description = "How many processes take in the queue of events."
  type        = number
  default     = 1
}

variable "attachment_workers" {
  description = "How many processes take in attachments."
  type        = number
  default     = 1
}

variable "event_sources" {
  description = "The `source` of the EventBridge events that are taken in."
  type        = list(string)
  default     = ["penstock.events"]
}

variable "database_class" {
  description = "The size of the ledger's database."
  type        = string
  default     = "db.m7g.large"
}

variable "database_gb" {
  description = "The ledger's disk, in GB."
  type        = number
  default     = 100
}

variable "alarm_email" {
  description = "Who is told of alarms."
  type        = string
}

variable "p99_seconds" {
  description = "The slowest that one in a hundred of the gateway's answers may be."
  type        = number
  default     = 1
}

variable "oldest_message_seconds" {
  description = "How long a message may wait in a queue before somebody is told."
  type        = number
  default     = 300
}
