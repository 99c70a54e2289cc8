import type { Rule } from './inspection.js';
import { acceleration } from './rules/acceleration.js';
import { aliasDuplicate } from './rules/alias-duplicate.js';
import { busWindowTooSmall } from './rules/bus-window-too-small.js';
import { chassisDuplicate } from './rules/chassis-duplicate.js';
import { cmdqvSmallPages } from './rules/cmdqv-small-pages.js';
import { cmdqvTooManyDevices } from './rules/cmdqv-too-many-devices.js';
import { commandlineConflict } from './rules/commandline-conflict.js';
import { controllerIndexOrder } from './rules/controller-index-order.js';
import { deviceBehindEmulatedSmmu } from './rules/device-behind-emulated-smmu.js';
import { deviceBehindOtherSmmu } from './rules/device-behind-other-smmu.js';
import { deviceOnExpanderBus } from './rules/device-on-expander-bus.js';
import { deviceOnHost } from './rules/device-on-host.js';
import { deviceWithoutIommufd } from './rules/device-without-iommufd.js';
import { driverUnsupported } from './rules/driver-unsupported.js';
import { duplicates } from './rules/duplicates.js';
import { emulatedBehindVsmmu } from './rules/emulated-behind-vsmmu.js';
import { expanderBusMisnamed } from './rules/expander-bus-misnamed.js';
import { expanderBusMisplaced } from './rules/expander-bus-misplaced.js';
import { domainWithoutGicv3 } from './rules/gic-version.js';
import { groupBackendsDiffer } from './rules/group-backends-differ.js';
import { groupBehindVsmmu } from './rules/group-behind-vsmmu.js';
import { groupDirectRegion } from './rules/group-direct-region.js';
import { groupNotViable } from './rules/group-not-viable.js';
import { hostWithoutSmmu } from './rules/host-without-smmu.js';
import { initiatorCellMissing } from './rules/initiator-cell-missing.js';
import { iommuConflict } from './rules/iommu-conflict.js';
import { iommuIgnored } from './rules/iommu-ignored.js';
import { iommuUnsupported } from './rules/iommu-unsupported.js';
import { metadata } from './rules/metadata.js';
import { multifunctionOff } from './rules/multifunction-off.js';
import { numaCellDiffers } from './rules/numa-cell-differs.js';
import { numaCellMissing } from './rules/numa-cell-missing.js';
import { pcihole64Invalid } from './rules/pcihole64-invalid.js';
import { pcihole64Size } from './rules/pcihole64-size.js';
import { platformSettings } from './rules/platform-settings.js';
import { slotInvalid } from './rules/slot-invalid.js';
import { slotWithoutFunctionZero } from './rules/slot-without-function-zero.js';
import { smmuIncompatible } from './rules/smmu-incompatible.js';
import { smmuSplit } from './rules/smmu-split.js';
import { sparePorts } from './rules/spare-ports.js';
import { targetFeatures } from './rules/target.js';
import { vsmmuValueBeyondHost } from './rules/vsmmu-value-beyond-host.js';
import { vsmmuValueInvalid } from './rules/vsmmu-value-invalid.js';
import { vsmmuValuesMissing } from './rules/vsmmu-values-missing.js';
import { vsmmusExhausted } from './rules/vsmmus-exhausted.js';

/** The rules for every domain. */
export const RULES_OF_ALL_MACHINES: readonly Rule[] = [duplicates, iommuUnsupported];

/** The rules for domains of QEMU's `virt` machine. */
export const RULES: readonly Rule[] = [
  ...RULES_OF_ALL_MACHINES,
  acceleration,
  targetFeatures,
  domainWithoutGicv3,
  hostWithoutSmmu,
  iommuConflict,
  iommuIgnored,
  vsmmusExhausted,
  smmuSplit,
  vsmmuValuesMissing,
  vsmmuValueInvalid,
  vsmmuValueBeyondHost,
  cmdqvTooManyDevices,
  smmuIncompatible,
  commandlineConflict,
  aliasDuplicate,
  deviceOnHost,
  driverUnsupported,
  deviceBehindOtherSmmu,
  deviceBehindEmulatedSmmu,
  deviceWithoutIommufd,
  emulatedBehindVsmmu,
  groupBehindVsmmu,
  groupBackendsDiffer,
  groupDirectRegion,
  groupNotViable,
  busWindowTooSmall,
  chassisDuplicate,
  controllerIndexOrder,
  expanderBusMisplaced,
  deviceOnExpanderBus,
  slotInvalid,
  multifunctionOff,
  slotWithoutFunctionZero,
  sparePorts,
  numaCellMissing,
  numaCellDiffers,
  initiatorCellMissing,
  pcihole64Invalid,
  pcihole64Size,
  cmdqvSmallPages,
  platformSettings,
  expanderBusMisnamed,
  metadata,
];
