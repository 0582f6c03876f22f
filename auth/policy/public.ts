interface Statement {
  readonly Effect?: string;
  readonly Principal?: string | { readonly AWS?: string | readonly string[] };
  readonly Condition?: object;
}

/** Whether a policy of a resource, one that parses, gives something to everybody without a condition. */
export function isPublic(policy: string): boolean {
  const { Statement: given = [] } = JSON.parse(policy) as { Statement?: Statement | readonly Statement[] };
  return [given].flat().some(({ Effect, Principal, Condition = {} }) => {
    const who = typeof Principal === 'string' ? Principal : Principal?.AWS;
    return Effect === 'Allow' && Object.keys(Condition).length === 0 && [who].flat().includes('*');
  });
}
