import { type Advisories, AdvisoriesUnusable, type Match, matchPackages } from '../../advisories/index.ts';
import type { InventoryLimits } from '../inventory/limits.ts';
import { inventoryOf } from '../inventory/take-inventory.ts';
import { type Finding, type Scanner, ScannerFailed, type ScanReport, UnsupportedImage } from './scanner.ts';

/** The scanner that is always there: packages out of the layers, advisories out of the local database. */
export function embeddedScanner(options: {
  readonly advisories: Advisories;
  readonly limits?: Partial<InventoryLimits>;
}): Scanner {
  const { advisories } = options;

  const match = async (inventory: NonNullable<ScanReport['inventory']>): Promise<ScanReport> => {
    if (inventory.packages.length === 0)
      throw new UnsupportedImage('The operating system and/or package manager are not supported.');
    const knowledgeFrom = advisoriesFrom(advisories);
    if (knowledgeFrom === undefined)
      throw new NoKnowledge('There are no advisories yet: run "slipway scan update".', inventory);
    const { matches, unknownEcosystems } = await matchPackages(advisories, inventory.packages);
    const judged = inventory.packages.some((pack) => !unknownEcosystems.includes(pack.ecosystem));
    const missing = `There are no advisories for ${unknownEcosystems.join(', ')}`;
    if (!judged) throw new NoKnowledge(`${missing}: run "slipway scan update" with a source that has them.`, inventory);
    return {
      findings: matches.map(findingOf),
      inventory,
      knowledgeFrom,
      ...(unknownEcosystems.length > 0 ? { note: `${missing}: these packages were not judged.` } : {}),
    };
  };

  return {
    name: 'slipway',
    async scan(target, signal) {
      const inventory = await inventoryOf(
        target.layers.map((layer) => () => layer.open()),
        { signal, ...(options.limits ? { limits: options.limits } : {}) },
      );
      const report = await match(inventory);
      if (inventory.unread.length === 0) return report;
      const unread = `${inventory.unread.length} files could not be read, e.g. ${inventory.unread[0] ?? ''}`.slice(
        0,
        300,
      );
      return { ...report, note: report.note === undefined ? unread : `${report.note} ${unread}` };
    },
    match,
    knowledgeFrom: () => advisoriesFrom(advisories),
  };
}

/** Nothing to compare with; what was found in the image is kept, so that it is judged once there is. */
export class NoKnowledge extends ScannerFailed {
  readonly inventory: NonNullable<ScanReport['inventory']>;
  constructor(message: string, inventory: NonNullable<ScanReport['inventory']>) {
    super(message);
    this.inventory = inventory;
  }
}

function advisoriesFrom(advisories: Advisories): number | undefined {
  try {
    return advisories.updatedAt();
  } catch (cause) {
    if (cause instanceof AdvisoriesUnusable) throw new ScannerFailed(cause.message, { cause });
    throw cause;
  }
}

const findingOf = ({ advisory, package: pack, severity, fixedIn }: Match): Finding => ({
  name: advisory.name,
  severity,
  description: advisory.summary,
  uri: advisory.uri,
  package: pack,
  source: advisory.id,
  references: advisory.references,
  ...(fixedIn === undefined ? {} : { fixedIn }),
  ...(advisory.score ? { score: advisory.score } : {}),
  ...(advisory.published === undefined ? {} : { published: advisory.published }),
  ...(advisory.modified === undefined ? {} : { modified: advisory.modified }),
});
