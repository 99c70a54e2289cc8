import { accelerationDiagnostics } from '../../plan/applicable.js';
import type { Rule } from '../inspection.js';

/** QEMU 11.1: `SMMUv3 accel=on requires KVM with kernel-irqchip=on support`, and `not supported for DT` without ACPI. */
export const acceleration: Rule = ({ accelerated, domain, forceTcg }) =>
  accelerated.length > 0 ? accelerationDiagnostics(domain, forceTcg) : [];
