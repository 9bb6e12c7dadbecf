terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60"
    }
    random = {
      source  = "hashicorp/random"
      version = ">= 3.6"
    }
  }
}

provider "aws" {
  region = var.region
  default_tags {
    tags = { application = "penstock", environment = var.environment }
  }
}

data "aws_caller_identity" "this" {}

locals {
  name    = "penstock-${var.environment}"
  account = data.aws_caller_identity.this.account_id
}
