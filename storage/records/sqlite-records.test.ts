import { describeRecordStore } from './testing/contract.ts';
import { temporarySqlite } from './testing/temporary-sqlite.ts';

describeRecordStore('sqlite', temporarySqlite);
