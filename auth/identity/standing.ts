import type { Principal, Standing } from '../contract/index.ts';
import type { PolicyAuthorizer } from './authorizer.ts';

/** Whether a principal still is who it was: asked for tokens, which outlive the request they were made by. */
export class IdentityStanding implements Standing {
  readonly #authorizer: PolicyAuthorizer;

  constructor(authorizer: PolicyAuthorizer) {
    this.#authorizer = authorizer;
  }

  /** @throws StoreUnavailable when it cannot be known */
  async standing(principal: Principal): Promise<boolean> {
    return !('disowned' in (await this.#authorizer.caller(principal)));
  }
}
