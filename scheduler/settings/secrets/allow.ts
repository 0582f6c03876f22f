import { type AccessRequest, type Authorizer, AwsError, type Call } from '@slipway/auth/contract';

/**
 * Asks for what is known only in the middle of a request.
 * @param isNoted whether its audit line has that already; a refusal it gets anyway
 * @throws AccessDeniedException
 */
export async function allow(
  { api, call }: { readonly api: { readonly authorizer: Authorizer }; readonly call: Call },
  access: AccessRequest,
  isNoted = false,
): Promise<void> {
  const decision = await api.authorizer.authorize(call.principal, access, call);
  if (!isNoted || !decision.allowed) call.noted?.(access, decision);
  if (!decision.allowed)
    throw new AwsError(
      'AccessDeniedException',
      `User: ${call.principal.arn} is not authorized to perform: ${access.action} on resource: ${access.resources[0]?.arn} because ${decision.reason}`,
    );
}
