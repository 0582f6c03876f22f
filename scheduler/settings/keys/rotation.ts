import { limitExceeded, unsupported } from './errors.ts';
import { checkNotPending, findOwn, type KeysOperations, mayOn, operation, type Scene } from './operation.ts';
import { byKey, flag, list, nothing, number, page, pageAnswer, struct, text, time } from './shapes.ts';
import { dayMs, type FoundKey } from './store.ts';

const usualDays = 365;
/** Rotations of one key that are asked for (KMS developer guide, "Quotas"). */
const mostOnDemand = 25;

/** Rotation: a key gets a new material, and what was encrypted before is opened with the old one. */
export const rotationOperations: KeysOperations = {
  EnableKeyRotation: operation({
    input: struct('EnableKeyRotationRequest', { ...byKey, RotationPeriodInDays: number }),
    output: nothing,
    access: mayOn('EnableKeyRotation', ({ RotationPeriodInDays: days }) =>
      days === undefined ? {} : { 'kms:RotationPeriodInDays': String(days) },
    ),
    handle: async ({ KeyId, RotationPeriodInDays }, scene) => {
      const { account, key } = await changeable(scene, KeyId);
      const now = scene.call.time.getTime();
      await scene.api.keys.change(account, key.id, (before) => {
        const days = RotationPeriodInDays ?? before.rotation?.days ?? usualDays;
        return before.rotation?.days === days ? before : { ...before, rotation: { days, nextAt: now + days * dayMs } };
      });
      return {};
    },
  }),
  DisableKeyRotation: operation({
    input: struct('DisableKeyRotationRequest', byKey),
    output: nothing,
    access: mayOn('DisableKeyRotation'),
    handle: async ({ KeyId }, scene) => {
      const { account, key } = await changeable(scene, KeyId);
      await scene.api.keys.change(account, key.id, (before) => {
        const { rotation: _, ...kept } = before;
        return kept;
      });
      return {};
    },
  }),
  GetKeyRotationStatus: operation({
    input: struct('GetKeyRotationStatusRequest', byKey),
    output: struct('GetKeyRotationStatusResponse', {
      KeyRotationEnabled: flag,
      KeyId: text,
      RotationPeriodInDays: number,
      NextRotationDate: time,
    }),
    access: mayOn('GetKeyRotationStatus'),
    handle: async ({ KeyId }, scene) => {
      const { account, key } = await findOwn(scene, KeyId);
      const rotation = key.deletionAt === undefined ? key.rotation : undefined;
      return {
        KeyRotationEnabled: rotation !== undefined,
        KeyId: scene.api.keys.keyArn(account, key),
        ...(rotation === undefined
          ? {}
          : { RotationPeriodInDays: rotation.days, NextRotationDate: new Date(rotation.nextAt) }),
      };
    },
  }),
  RotateKeyOnDemand: operation({
    input: struct('RotateKeyOnDemandRequest', byKey),
    output: struct('RotateKeyOnDemandResponse', { KeyId: text }),
    access: mayOn('RotateKeyOnDemand'),
    handle: async ({ KeyId }, scene) => {
      const { account, key } = await changeable(scene, KeyId);
      const { keys } = scene.api;
      await keys.change(account, key.id, (before, tx) => {
        keys.checkUsable({ account, key: before });
        if (before.materials.filter(({ cause }) => cause === 'ON_DEMAND').length >= mostOnDemand)
          throw limitExceeded(`A key is rotated on demand at most ${mostOnDemand} times.`);
        return keys.addMaterial(tx, account, before, 'ON_DEMAND');
      });
      return { KeyId: keys.keyArn(account, key) };
    },
  }),
  ListKeyRotations: operation({
    input: struct('ListKeyRotationsRequest', { ...byKey, IncludeKeyMaterial: text, ...page }),
    output: struct('ListKeyRotationsResponse', {
      Rotations: list(
        struct('RotationsListEntry', {
          KeyId: text,
          KeyMaterialId: text,
          KeyMaterialState: text,
          RotationDate: time,
          RotationType: text,
        }),
      ),
      ...pageAnswer,
    }),
    access: mayOn('ListKeyRotations'),
    handle: async (input, scene) => {
      const { api } = scene;
      const { account, key } = await findOwn(scene, input.KeyId);
      const all = input.IncludeKeyMaterial === 'ALL_KEY_MATERIAL';
      const name = ['ListKeyRotations', key.id, all];
      const request = { maxResults: input.Limit, nextToken: input.Marker };
      const after = Number((await api.pages.start(account, name, request)) ?? 0);
      const newest = key.materials.at(-1)?.version;
      const rows = key.materials
        .filter(({ version, cause }) => version > after && (all || cause !== 'CREATED'))
        .map((value) => ({ key: String(value.version), value }));
      const { items, nextToken } = await api.pages.page(account, name, request, rows, (material) => ({
        KeyId: api.keys.keyArn(account, key),
        KeyMaterialId: material.id,
        KeyMaterialState: material.version === newest ? 'CURRENT' : 'NON_CURRENT',
        ...(material.cause === 'CREATED'
          ? {}
          : { RotationDate: new Date(material.createdAt), RotationType: material.cause }),
      }));
      return {
        Rotations: items,
        Truncated: nextToken !== undefined,
        ...(nextToken === undefined ? {} : { NextMarker: nextToken }),
      };
    },
  }),
};

/** @throws NotFoundException, KMSInvalidStateException, DisabledException; UnsupportedOperationException for a service's own key */
async function changeable(scene: Scene, id: string): Promise<FoundKey> {
  const found = await findOwn(scene, id);
  checkNotPending(scene, found.key);
  scene.api.keys.checkUsable(found);
  if (found.key.service !== undefined)
    throw unsupported('The rotation of an AWS managed key', 'It is rotated each year by itself.');
  return found;
}
