import { temporarySqlite } from '../records/testing/temporary-sqlite.ts';
import { describeLeases } from './testing/contract.ts';

describeLeases('sqlite', temporarySqlite);
