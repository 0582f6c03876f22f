export { HostFiles, routersRoot } from './host-files.ts';
export { noRouters, RouterError, type RouterPort } from './port.ts';
export { type Routing, routingOf } from './routing.ts';
export { awaitsSecrets, idOf, routerOf, routingRefusal, withRouter } from './task.ts';
