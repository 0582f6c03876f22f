import { writeFileSync } from 'node:fs';
import { buildAgentProgram } from '../server/agent-program.ts';

/** `slipway agent bundle`: writes the agent as one file. */
export async function bundleAgent(file: string): Promise<void> {
  const { bytes, digest } = await buildAgentProgram();
  writeFileSync(file, bytes);
  process.stdout.write(`${file}  ${(bytes.length / 1e6).toFixed(1)} MB  ${digest}\n`);
}
