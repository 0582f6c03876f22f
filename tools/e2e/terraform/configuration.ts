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
