import type { AccessList, Call, Operation } from '@slipway/auth/contract';
import { type Arn, arnOf, parseArn } from '@slipway/auth/kit';
import type { Images } from '../images/index.ts';
import { ImagesError } from '../images/index.ts';
import { operation } from '../ecr/index.ts';

export const publicArn = (account: string, resource: string): string => arnOf({ ...here, account, resource });

export const publicRepositoryArn = (account: string, name: string): string => publicArn(account, `repository/${name}`);

/** ECR Public is of no region. */
const here = { service: 'ecr-public', region: '' };

/** The same resource's ARN in the other API; what is no ARN of the one stays. */
function inOther(arn: string, isOfOne: (parsed: Arn) => boolean, other: Pick<Arn, 'service' | 'region'>): string {
  const parsed = parseArn(arn);
  return parsed !== undefined && isOfOne(parsed) ? arnOf({ ...parsed, ...other }) : arn;
}

interface OfRepository {
  readonly repositoryName?: string | undefined;
  readonly resourceArn?: string | undefined;
}

/** What access the ECR API wants, as this API names it. */
export function asPublic(list: AccessList): AccessList {
  const [first, ...rest] = list.map((request) => ({
    ...request,
    action: request.action.replace(/^ecr:/, 'ecr-public:'),
    resources: request.resources.map((resource) => ({
      ...resource,
      arn: inOther(resource.arn, ({ service }) => service === 'ecr', here),
    })),
  }));
  return [first as AccessList[number], ...rest];
}

/**
 * An operation that both APIs have: the ECR API's own, for public repositories alone, asked for by the names of this API. Members
 * that this API does not have are left out when its answer is encoded.
 */
export function delegate<Input extends OfRepository, Output>(
  images: Images,
  region: string,
  served: Operation<never, unknown>,
): Operation<Input, Output> {
  const { access, handle } = served as unknown as {
    access: (input: Input, call: Call) => AccessList | Promise<AccessList>;
    handle: (input: Input, call: Call) => Promise<Output>;
  };
  const own = (input: Input): Input => {
    if (input.resourceArn === undefined) return input;
    const isPublic = (arn: Arn): boolean => arn.service === here.service && arn.region === here.region;
    return { ...input, resourceArn: inOther(input.resourceArn, isPublic, { service: 'ecr', region }) };
  };
  return operation<Input, Output>({
    ...(served.bodyBytes === undefined ? {} : { bodyBytes: served.bodyBytes }),
    access: async (input, call) => asPublic(await access(own(input), call)),
    handle: async (input, call) => {
      const name = input.repositoryName ?? /:repository\/(.+)$/.exec(input.resourceArn ?? '')?.[1] ?? '';
      await publicRepository(images, call.account, name);
      return handle(own(input), call);
    },
  });
}

/** @throws ImagesError `RepositoryNotFound`, also when the repository is not public */
export async function publicRepository(images: Images, account: string, name: string) {
  const repository = await images.repositories.get(account, name);
  if (repository.public === undefined)
    throw new ImagesError(
      'RepositoryNotFound',
      `The public repository with name '${name}' does not exist in the registry with id '${account}'`,
      { name },
    );
  return { ...repository, public: repository.public };
}
