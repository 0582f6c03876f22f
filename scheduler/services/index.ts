export { type DeploymentStart, newDeployment, primaryOf, startDeployment } from './deployment.ts';
export { followTag, formatFollow, parseFollow, withTags } from './follow.ts';
export {
  changeService,
  createService,
  deleteService,
  findService,
  rollService,
  type ServiceChange,
  type ServiceContext,
  type ServiceDraft,
  type ServiceRef,
  setFollow,
  updateService,
} from './services.ts';
