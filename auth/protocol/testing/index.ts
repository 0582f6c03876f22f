export { type BotocoreModel, botocoreModel, operationDifferences } from './botocore.ts';
