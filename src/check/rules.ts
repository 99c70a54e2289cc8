import type { Rule } from './inspection.js';
import { deviceBehindOtherSmmu } from './rules/device-behind-other-smmu.js';
import { deviceWithoutIommufd } from './rules/device-without-iommufd.js';
import { emulatedBehindVsmmu } from './rules/emulated-behind-vsmmu.js';

/** Everything that is looked for. */
export const RULES: readonly Rule[] = [emulatedBehindVsmmu, deviceWithoutIommufd, deviceBehindOtherSmmu];
