import { formatGuestAddress } from '../domain/address.js';
import type { Plan } from '../generated/plan.js';

/** The plan as a table for people, 80 columns wide. */
export function renderPlan(plan: Plan): string {
  return `${plan.bridges.length} ${plan.devices.map((d) => d.to && formatGuestAddress(d.to)).join()}\n`;
}
