/** Resources of one room that Terraform makes, changes and destroys, together with those of the others. */
export interface Configuration {
  /** AWS services whose calls go to the server. */
  readonly services: readonly string[];
  /** `resource` blocks; `data.aws_caller_identity.me` is there. @param folder for files that are made for it */
  readonly resources: (folder: string) => string;
  /** The same with members changed that can be without a new resource. */
  readonly change: (text: string) => string;
  /** How many resources that changes. */
  readonly changes: number;
}

/** The text of a policy: the account may do something with a resource. @param action and the resource, as expressions of Terraform */
export const accountMay = (action: string, resource: string): string => `jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::\${data.aws_caller_identity.me.account_id}:root" }
      Action    = ${action}
      Resource  = ${resource}
    }]
  })`;

/** The text of a trust policy: a service of AWS may take the role. */
export const takenBy = (service: string): string => `jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "${service}" }, Action = "sts:AssumeRole" }]
  })`;
