resource "random_password" "ledger" {
  length  = 40
  special = false # it becomes a part of an address
}

resource "aws_db_subnet_group" "ledger" {
  name       = local.name
  subnet_ids = var.private_subnets
}

resource "aws_security_group" "ledger" {
  name        = "${local.name}-ledger"
  description = "The ledger: reached by Penstock alone."
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "ledger" {
  security_group_id            = aws_security_group.ledger.id
  referenced_security_group_id = aws_security_group.services.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_db_instance" "ledger" {
  identifier                      = local.name
  engine                          = "postgres"
  engine_version                  = "17"
  instance_class                  = var.database_class
  allocated_storage               = var.database_gb
  max_allocated_storage           = 10 * var.database_gb
  storage_type                    = "gp3"
  storage_encrypted               = true
  kms_key_id                      = aws_kms_key.this.arn
  db_name                         = "penstock"
  username                        = "penstock"
  password                        = random_password.ledger.result
  db_subnet_group_name            = aws_db_subnet_group.ledger.name
  vpc_security_group_ids          = [aws_security_group.ledger.id]
  multi_az                        = true
  backup_retention_period         = 14
  deletion_protection             = true
  final_snapshot_identifier       = "${local.name}-last"
  performance_insights_enabled    = true
  performance_insights_kms_key_id = aws_kms_key.this.arn
  auto_minor_version_upgrade      = true
}

resource "aws_secretsmanager_secret" "ledger" {
  name       = "${local.name}/ledger"
  kms_key_id = aws_kms_key.this.arn
}

resource "aws_secretsmanager_secret_version" "ledger" {
  secret_id     = aws_secretsmanager_secret.ledger.id
  secret_string = "postgresql://penstock:${random_password.ledger.result}@${aws_db_instance.ledger.endpoint}/penstock?sslmode=require"
}
