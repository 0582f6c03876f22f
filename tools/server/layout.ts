import { acmeRows } from '@slipway/auth/acme';
import { browserRows } from '@slipway/auth/browser';
import { denialRows } from '@slipway/auth/denials';
import { identityRows } from '@slipway/auth/identity';
import { usageRows } from '@slipway/auth/rates';
import { tokenRows } from '@slipway/auth/tokens';
import { auditRows } from '@slipway/registry/collector';
import { imageRows } from '@slipway/registry/images';
import { replicationRows } from '@slipway/registry/replication';
import { scanRows } from '@slipway/registry/scanning';
import { templateRows } from '@slipway/registry/templates';
import { upstreamRows } from '@slipway/registry/upstreams';
import { codeDeployRows } from '@slipway/scheduler/codedeploy';
import { hookRows } from '@slipway/scheduler/hooks';
import { connectionRows } from '@slipway/scheduler/hosts/control';
import { numbersRows } from '@slipway/scheduler/balancing/numbers';
import { balancingRows } from '@slipway/scheduler/balancing/records';
import { networkRows } from '@slipway/scheduler/network/records';
import { alarmRows } from '@slipway/scheduler/signals/alarms/store';
import { objectRows } from '@slipway/scheduler/objects/store';
import { groupRows } from '@slipway/scheduler/scaling/groups';
import { scalingRows } from '@slipway/scheduler/scaling/targets';
import { logRows } from '@slipway/scheduler/signals/logs/store';
import { keyRows } from '@slipway/scheduler/settings/keys';
import { parameterRows } from '@slipway/scheduler/settings/parameters';
import { secretRows } from '@slipway/scheduler/settings/secrets';
import { readingRows, telemetryRows } from '@slipway/scheduler/signals/usage';
import { metricRows } from '@slipway/scheduler/signals/metrics/store';
import { stateRows } from '@slipway/scheduler/state';
import { efsRows } from '@slipway/scheduler/volumes/efs';
import { webhookRows } from '@slipway/scheduler/triggers';
import { transferRows } from '@slipway/storage/audit';
import { consumerRows } from '@slipway/storage/events';
import type { OwnedRows } from '@slipway/storage/records';
import { jobRows } from './jobs.ts';

/** Every record of an installation: in which partition it lies, what commits together with it, and which room owns it. */
export const layout: readonly OwnedRows[] = [
  ...identityRows,
  browserRows,
  denialRows,
  tokenRows,
  acmeRows,
  usageRows,
  ...stateRows,
  imageRows,
  scanRows,
  templateRows,
  upstreamRows,
  replicationRows,
  auditRows,
  hookRows,
  codeDeployRows,
  connectionRows,
  networkRows,
  balancingRows,
  numbersRows,
  webhookRows,
  logRows,
  ...objectRows,
  groupRows,
  scalingRows,
  keyRows,
  secretRows,
  telemetryRows,
  readingRows,
  alarmRows,
  parameterRows,
  efsRows,
  metricRows,
  consumerRows,
  transferRows,
  jobRows,
];
