export { configurationView, defaultConfiguration, parseConfiguration } from './configuration.ts';
export { type DeploymentStart, newDeployment, primaryOf, startDeployment } from './deployment.ts';
export { followTag, formatFollow, parseFollow, withTags } from './follow.ts';
export { parseCreate, parseLaunchType, parseUpdate } from './request.ts';
export { serviceViews } from './service-view.ts';
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
