/** Writes the principals of resource policies as what they cannot be made anew under, and as people know them. */
export interface PolicyPrincipals {
  /** @throws AwsError for principals that do not exist */
  bind(text: string): Promise<string>;
  show(text: string): Promise<string>;
}
