export {
  digestForm,
  dockerName,
  effectiveTag,
  type ImageReference,
  parseImageReference,
  pinned,
  registryNamed,
  registryOf,
  sameRepository,
  splitRegistry,
  withoutTag,
} from './image-reference.ts';
