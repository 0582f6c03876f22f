import { temporarySqlite } from '../records/testing/temporary-sqlite.ts';
import { describeEventLog } from './testing/contract.ts';

describeEventLog('sqlite', temporarySqlite);
