import { invalidValueDiagnostics } from '../../plan/platform.js';
import type { Rule } from '../inspection.js';

/** QEMU 11.1 accepts `ssidsize` 0 to 20 and `oas` 44 or 48; libvirt 12.8 does not check them. */
export const vsmmuValueInvalid: Rule = ({ domain }) => invalidValueDiagnostics(domain, []);
