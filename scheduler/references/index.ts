export {
  effectiveTag,
  type ImageReference,
  parseImageReference,
  pinned,
  registryOf,
  sameRepository,
  splitRegistry,
  withoutTag,
} from './image-reference.ts';
