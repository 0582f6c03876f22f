export { createCodeDeploy } from './create-codedeploy.ts';
export { bringAllOn } from './progressing.ts';
export { codeDeployRows } from './keys.ts';
export type { CodeDeployOptions } from './options.ts';
