/** Runs vsmmu as users do: the standalone executable. */
import type { Plan } from '../../src/generated/plan.js';
import type { GuestView as Prediction } from '../../src/guest/predict.js';
import { ownExecutable } from './executable.js';
import { LabError, run } from './process.js';

/** Options of vsmmu, such as `['--sysfs', DIR, '--spare-ports', '2']`. */
export type ToolOptions = readonly string[];

/** `vsmmu rewrite`: returns the rewritten domain. Throws LabError with the message of a refusal. */
export async function rewrite(xml: string, options: ToolOptions): Promise<string> {
  return await vsmmu(['rewrite', '--force-tcg', '--quiet', ...options], xml);
}

/** `vsmmu revert`: returns the reverted domain. */
export async function revert(xml: string, options: ToolOptions = []): Promise<string> {
  return await vsmmu(['revert', '--quiet', ...options], xml);
}

/** `vsmmu attach`: returns the device to plug in. */
export async function attach(xml: string, bdf: string, options: ToolOptions): Promise<string> {
  return await vsmmu(['attach', '--quiet', ...options, '-', bdf], xml);
}

/** `vsmmu plan --json`: returns the plan and the predicted guest. */
export async function planOf(xml: string, options: ToolOptions): Promise<{ plan: Plan; guest: Prediction }> {
  const json = await vsmmu(['plan', '--json', '--force-tcg', '--quiet', ...options], xml);
  return JSON.parse(json) as { plan: Plan; guest: Prediction };
}

/** A host's endpoints, as `vsmmu topology --json` lists them. */
export async function endpointsOf(sysfs: string): Promise<readonly Endpoint[]> {
  const answer = JSON.parse(await vsmmu(['topology', '--json', '--quiet', '--sysfs', sysfs])) as {
    topology: { devices: readonly (Endpoint & { bridge: boolean })[] };
  };
  return answer.topology.devices.filter((device) => !device.bridge);
}

export interface Endpoint {
  readonly bdf: string;
  readonly smmu: string | null;
  readonly group: number | null;
  readonly physfn: string | null;
}

async function vsmmu(args: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await run([ownExecutable(), ...args], { input });
  if (code !== 0) throw new LabError(`vsmmu ${args[0]} ended with ${code}: ${stderr.trim()}`);
  return stdout;
}
