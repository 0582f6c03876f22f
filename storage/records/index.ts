export {
  type Batch,
  type Change,
  type Committed,
  type Condition,
  ConditionFailed,
  type EventDraft,
  type Fence,
  type FollowOptions,
  type Json,
  type ListOptions,
  type Page,
  type RecordStore,
  StaleEpoch,
  type Stored,
  StoreUnavailable,
} from './record-store.ts';
export { transact, type TransactOptions, type Transaction } from './transact.ts';
