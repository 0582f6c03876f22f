/** Preloaded into a writer to prove that the power-loss test can fail: nothing is ever synced to the disk. */
import { open } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';

const { value: exec } = Object.getOwnPropertyDescriptor(DatabaseSync.prototype, 'exec') as {
  value: (this: DatabaseSync, sql: string) => void;
};
DatabaseSync.prototype.exec = function (sql: string) {
  exec.call(this, sql.replace('synchronous = FULL', 'synchronous = OFF'));
};
const handle = await open('/dev/null');
Object.getPrototypeOf(handle).sync = async () => {};
await handle.close();
