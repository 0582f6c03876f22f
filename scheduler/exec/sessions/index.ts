/** Sessions of ECS Exec and copies of files: who may have one, its data channel, and the way to the host. */
export { execAccess } from './allowed.ts';
export { ExecFront, type ExecFrontPorts, streamUrl } from './front.ts';
export { type ExecPlace, execTarget } from './target.ts';
export { Meetings } from './meeting.ts';
export { recordSession, type RecordPorts } from './record.ts';
export { LogRecorder, type Recorder } from './recorder.ts';
export { type RunningSession, RunningSessions } from './running.ts';
export { hostPatience, sessionIdForm, WaitingSessions } from './store.ts';
