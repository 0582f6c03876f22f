export { type HeardCall, ScriptedHook } from './scripted-hook.ts';
