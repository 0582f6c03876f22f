import type { AccessRequest, Authorizer, Log } from '@slipway/auth/contract';

import { type EcsPorts, scan } from '../cluster/index.ts';
import { readDefinition, Lane, type OwnHost } from '../control/index.ts';
import { refuseReach } from '../reach/index.ts';
import { effectiveTag, parseImageReference, pinned, sameRepository } from '../references/index.ts';
import { actingFor, callOf, changeService, primaryOf, startDeployment, updateAccess } from '../services/index.ts';
import {
  accountKeys,
  accountPartition,
  clusterKeys,
  clusterPartition,
  type DeploymentRecord,
  newDeploymentId,
  newEventId,
  type ServiceEventRecord,
  type ServiceRecord,
  type TaskDefinitionRecord,
  toJson,
} from '../state/index.ts';
import { bodyOf, containersOf, findDefinition, registerRevision, stableJson } from '../tasks/index.ts';

import { type Followed, type FollowedImages, type WantedImage, wantedImages } from './wanted.ts';

/** How often a service is looked at anew when somebody else changed it in between. */
const attempts = 5;

export interface RollerPorts extends EcsPorts {
  readonly images: FollowedImages;
  readonly ownHost: OwnHost;
  readonly log: Log;
  /** Tells whether whoever set a rule or made a webhook may still do what it does. */
  readonly authorizer: Authorizer;
}

/** Why services are compared with the registry now. */
export interface Occasion {
  /** An event: the tag that was pushed. Absent: the level-triggered pass. */
  readonly pushed?: { readonly repository: string; readonly tag: string; readonly actor?: string };
  /** When it happened, milliseconds since the epoch: images rejected before may be tried again. */
  readonly at?: number;
  readonly kind: DeploymentRecord['cause']['kind'];
  /** An image that is asked for by name, whatever the service follows. */
  readonly image?: string;
  /** Who says so, when it is no push: words for the deployment's cause. */
  readonly by?: string;
  /** The caller was found to be allowed this. Otherwise whoever set what the service follows must be. */
  readonly authorized?: true;
}

/** The image that was asked for cannot be put into the service; the message says why. */
export class ImageNotUsable extends Error {
  override readonly name = 'ImageNotUsable';
}

interface Place {
  readonly account: string;
  readonly cluster: string;
  readonly service: string;
}

/** Compares services with the images they follow, and rolls those that differ. */
export class Roller {
  readonly #ports: RollerPorts;
  /** An event and a comparison at the same time would both register a revision, one of them for nothing. */
  readonly #lane = new Lane();

  constructor(ports: RollerPorts) {
    this.#ports = ports;
  }

  /** Every service of the account that follows something. One that cannot be rolled is told in the log and does not stop the others. */
  async rollAccount(account: string, occasion: Occasion): Promise<void> {
    let failure: unknown;
    for (const place of await this.#following(account)) {
      try {
        await this.rollService(place, occasion);
      } catch (error) {
        failure = error;
        this.#ports.log.warn({ ...place, err: error }, 'cannot roll the service to its followed image');
      }
    }
    // The event comes again; services that were rolled are left alone then.
    if (failure !== undefined) throw failure;
  }

  /**
   * One service. @returns whether a deployment was started
   * @throws ImageNotUsable
   */
  rollService(place: Place, occasion: Occasion): Promise<boolean> {
    return this.#lane.run(() => this.#rollOne(place, occasion));
  }

  async #rollOne(place: Place, occasion: Occasion): Promise<boolean> {
    const key = clusterKeys.service(place.service);
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const stored = await this.#ports.records.get<ServiceRecord>(clusterPartition(place.account, place.cluster), key);
      const service = stored?.value;
      const primary = service === undefined ? undefined : primaryOf(service);
      if (service === undefined || primary === undefined || service.status !== 'ACTIVE') return false;
      // Who deploys it decides what it runs.
      if (service.controller !== undefined) return false;
      const definition = await readDefinition(this.#ports.records, place.account, primary.taskDefinition);
      if (definition === undefined) return false;
      const origin =
        definition.pinnedFrom === undefined
          ? undefined
          : await readDefinition(this.#ports.records, place.account, definition.pinnedFrom);
      const followed = { account: place.account, service, definition, origin };
      const found =
        occasion.image === undefined
          ? await wantedImages(followed, this.#ports, occasion.pushed)
          : await this.#named(followed, occasion.image);
      const wanted = await this.#admitted(
        place,
        found.filter((image) => !isRejected(service, image, occasion)),
        occasion,
      );
      if (wanted.length === 0) return false;
      if (occasion.authorized !== true) {
        const refused = await this.#refused(place, service, definition);
        if (refused !== undefined) {
          await this.#say(place, `(service ${place.service}) does not follow ${wanted[0]?.repository}: ${refused}`);
          return false;
        }
      }
      const revision = await this.#pin(place.account, definition, wanted, occasion);
      if (await this.#start(place, definition, revision, wanted, occasion)) return true;
    }
    throw new Error(`service ${place.cluster}/${place.service} kept changing while it was to be rolled`);
  }

  /** Without the images that a scan policy refuses; the service's events say why, once until they have moved on. */
  async #admitted(place: Place, wanted: readonly WantedImage[], occasion: Occasion): Promise<readonly WantedImage[]> {
    const { images } = this.#ports;
    if (images.refusal === undefined) return wanted;
    const admitted: WantedImage[] = [];
    for (const image of wanted) {
      const refusal =
        image.digest === '' ? undefined : await images.refusal(place.account, image.repository, image.digest);
      if (refusal === undefined) {
        admitted.push(image);
        continue;
      }
      if (occasion.image !== undefined) throw new ImageNotUsable(refusal.reason);
      await this.#say(place, `(service ${place.service}) does not roll out ${image.image}: ${refusal.reason}`);
    }
    return admitted;
  }

  /** Why the one who set what the service follows may not bring an image into it, now; undefined when that one may. */
  async #refused(place: Place, service: ServiceRecord, definition: TaskDefinitionRecord): Promise<string | undefined> {
    const { authorizer } = this.#ports;
    const { followedBy } = service;
    if (followedBy === undefined) return "it is not known who set the tag 'slipway:follow'; set it again.";
    const principal = actingFor(followedBy);
    const call = callOf(this.#ports, principal);
    for (const access of updateAccess(this.#ports, place, service, definition)) {
      const { allowed, reason } = await authorizer.authorize(principal, access, call);
      if (!allowed) return refusal(followedBy.arn, access, reason);
    }
    return undefined;
  }

  /** Puts a message among the service's events, once until they have moved on. */
  async #say(place: Place, message: string): Promise<void> {
    const { clock, random, records, log } = this.#ports;
    const partition = clusterPartition(place.account, place.cluster);
    const prefix = clusterKeys.serviceEvents(place.service);
    const newest = await records.list<ServiceEventRecord>(partition, { prefix, limit: 20 });
    if (newest.records.some(({ value }) => value.message === message)) return;
    const event: ServiceEventRecord = { id: newEventId(random), createdAt: clock.now(), message };
    const key = clusterKeys.serviceEvent(place.service, event.createdAt, event.id);
    await records.commit(partition, { put: [{ key, value: toJson(event) }] });
    log.warn({ ...place }, message);
  }

  /** The containers that run an image's repository, with that image; a tag of this installation is pinned. */
  async #named({ account, definition }: Followed, image: string): Promise<readonly WantedImage[]> {
    const { images, ownHost } = this.#ports;
    const reference = parseImageReference(image);
    if (reference === undefined) throw new ImageNotUsable(`'${image}' is not an image reference.`);
    const { host, repository } = reference;
    const tag = effectiveTag(reference);
    const own = host !== undefined && ownHost(host);
    const digest =
      reference.digest ?? (own && tag !== undefined ? await images.resolve(account, repository, tag) : undefined);
    if (own && digest === undefined) throw new ImageNotUsable(`There is no image ${image}.`);
    const containers = containersOf(bodyOf(definition)).filter((container) => {
      const runs = parseImageReference(container.image ?? '');
      return runs !== undefined && sameRepository(runs, reference);
    });
    if (containers.length === 0) {
      throw new ImageNotUsable(`No container of the service's newest deployment runs ${repository}.`);
    }
    const wanted = digest === undefined ? image : pinned(reference, digest, tag);
    return containers
      .filter((container) => digest === undefined || container.image !== wanted)
      .map(({ name = '' }) => ({
        container: name,
        repository,
        tag: tag ?? '',
        digest: digest ?? '',
        image: wanted,
      }));
  }

  async #following(account: string): Promise<Place[]> {
    const { records } = this.#ports;
    const places: Place[] = [];
    for await (const { key } of scan(records, accountPartition(account), accountKeys.clusters)) {
      const cluster = key.slice(accountKeys.clusters.length);
      const services = scan<ServiceRecord>(records, clusterPartition(account, cluster), clusterKeys.services);
      for await (const { value } of services)
        if (value.follow !== undefined && value.status === 'ACTIVE')
          places.push({ account, cluster, service: value.name });
    }
    return places;
  }

  /** The revision with the wanted images; the family's newest one when that is it already (a crash may have come in between). */
  async #pin(
    account: string,
    base: TaskDefinitionRecord,
    wanted: readonly WantedImage[],
    { pushed }: Occasion,
  ): Promise<TaskDefinitionRecord> {
    const images = new Map(wanted.map(({ container, image }) => [container, image]));
    const body = {
      ...bodyOf(base),
      containerDefinitions: containersOf(bodyOf(base)).map((container) => {
        const image = images.get(container.name ?? '');
        return image === undefined ? container : { ...container, image };
      }),
    };
    for (const container of body.containerDefinitions) {
      const why = refuseReach(container, this.#ports.reach);
      if (why !== undefined) throw new ImageNotUsable(`Container ${container.name ?? ''}: ${why}`);
    }
    const pinnedFrom = base.pinnedFrom ?? base.arn;
    const newest = await findDefinition(this.#ports, account, { family: base.family });
    if (newest?.pinnedFrom === pinnedFrom && stableJson(newest.definition) === stableJson(body)) return newest;
    return registerRevision(this.#ports, account, {
      family: base.family,
      body,
      tags: base.tags,
      ...(pushed?.actor === undefined ? {} : { registeredBy: pushed.actor }),
      pinnedFrom,
    });
  }

  /** Starts the deployment in one commit, unless the service has moved on from what was compared. */
  async #start(
    place: Place,
    base: TaskDefinitionRecord,
    revision: TaskDefinitionRecord,
    wanted: readonly WantedImage[],
    { kind, pushed, by }: Occasion,
  ): Promise<boolean> {
    const { clock, random, log } = this.#ports;
    const what = wanted.map(({ repository, tag, digest }) => `${repository}:${tag} ${digest}`.trimEnd()).join(', ');
    const how = by ?? (pushed === undefined ? 'found by comparison' : `pushed by ${pushed.actor ?? 'unknown'}`);
    const { before, after } = await changeService(this.#ports, place, (current) => {
      if (primaryOf(current)?.taskDefinition !== base.arn) return current;
      const rejected = (current.rejected ?? []).filter(
        (old) => !wanted.some(({ container, digest }) => container === old.container && digest === old.digest),
      );
      return startDeployment(
        { ...current, ...(current.rejected === undefined ? {} : { rejected }) },
        {
          id: newDeploymentId(random),
          taskDefinition: revision.arn,
          cause: { kind, detail: `${what} (${how})` },
          now: clock.now(),
        },
      );
    });
    if (after === before) return false;
    log.info(
      { ...place, revision: revision.arn, images: what, deploymentId: primaryOf(after)?.id, why: how },
      'rolls the service to the image it follows',
    );
    return true;
  }
}

const refusal = (arn: string, { action, resources }: AccessRequest, reason: string): string =>
  `${arn}, who set the tag 'slipway:follow', may not do this any more (${action} on ${resources[0]?.arn ?? '*'}: ${reason}). ` +
  'Give the right back, or have somebody with it set the tag again.';

/** A digest that failed is tried again only when it was pushed after that. */
function isRejected(service: ServiceRecord, image: WantedImage, occasion: Occasion): boolean {
  const rejected = service.rejected?.find(
    ({ container, digest }) => container === image.container && digest === image.digest,
  );
  return rejected !== undefined && (occasion.at === undefined || occasion.at <= rejected.at);
}
